"""Classes by index, synset and name; those of a model; those that a text names."""

from dataclasses import replace

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.head import Head
from oodkit.images.arrays import ArraySet
from oodkit.images.classes import align_labels
from oodkit.models.base import imagenet_names
from oodkit.synth.base import Generator, ImageClass
from oodkit.synth.classes import (
    classes_like,
    classes_named,
    classes_of,
    find_classes,
    imagenet_classes,
    numbered_classes,
    places_in,
)


class Made(Generator):
    """A generator of these classes that is never asked for an image."""

    spec, size, facts = "made", 8, {}

    def __init__(self, classes=None, *, conditional=True):
        self.classes, self.conditional = classes, conditional

    def generate(self, requests):
        return []


@pytest.fixture
def model_of(tiny_model):
    def make(names, ids=None):
        count = len(names or ids or "1234")
        return replace(tiny_model, head=Head(torch.zeros(count, 6), torch.zeros(count)), class_names=names, class_ids=ids)

    return make


def folders(classes):
    return [one.folder for one in classes]


def refused(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_imagenets_classes_are_timms_in_torchvisions_order():
    classes = imagenet_classes()
    names, synsets = imagenet_names()
    assert [(one.name, one.folder, one.label) for one in classes] == list(zip(names, synsets, range(1000), strict=True))
    assert classes[207].definition == "an English breed having a long silky golden coat"
    assert sorted(synsets) == list(synsets)
    assert not [one for one in classes if not one.definition or one.definition.startswith(one.name)]


@pytest.mark.parametrize("word", ["207", "n02099601", "N02099601", "golden retriever", "Golden_Retriever", " golden  retriever "])
def test_a_class_is_an_index_a_synset_or_a_name(word):
    assert folders(find_classes([word], imagenet_classes())) == ["n02099601"]


@pytest.mark.parametrize(("word", "label"), [("tench", 0), ("tench, Tinca tinca", 0), ("tank suit", 639), ("missile", 657)])
def test_a_name_is_whole_or_a_first_synonym_before_it_is_any_other(word, label):
    """744 is "projectile, missile", and only by its second synonym a missile."""
    assert [one.label for one in find_classes([word], imagenet_classes())] == [label]


def test_a_class_named_twice_is_made_once_and_order_is_kept():
    assert [one.label for one in find_classes(["517", "tench", "207", "n01440764", "0"], imagenet_classes())] == [517, 0, 207]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            "crane",
            "'crane' is 2 classes: 134 n02012849 (crane: large long-necked wading bird of marshes and plains …), 517 n03126707",
        ),
        ("tenhc", "no class 'tenhc'; did you mean 0 n01440764 (tench, Tinca tinca: freshwater dace-like game fish of …)?"),
        ("1000", "no class '1000'; there are 1000, 0 to 999"),
        ("9" * 5000, "no class '" + "9" * 5000),
        ("\x1b[31m", "no class '\\x1b[31m'; there are 0 n01440764 (tench"),
    ],
)
def test_what_names_no_class_or_several_is_an_error_that_lists_them(word, told):
    assert refused(find_classes, [word], imagenet_classes()).startswith(told)


def test_an_ambiguous_name_is_told_by_folder():
    assert refused(find_classes, ["crane"], imagenet_classes()).endswith("; name one by its folder, such as n02012849")


@pytest.mark.parametrize("word", ["cardigan", "maillot", "panther"])
def test_a_word_that_two_classes_have_on_equal_terms_is_ambiguous(word):
    assert "is 2 classes" in refused(find_classes, [word], imagenet_classes())


def test_where_folders_are_numbers_a_number_is_the_folder_and_never_the_index():
    known = numbered_classes(["1", "2", "10"])
    assert [one.label for one in find_classes(["1", "10"], known)] == [0, 2]
    assert refused(find_classes, ["0"], known).startswith("no class '0'; ")


def test_a_models_classes_have_folders_by_id_or_else_by_name_or_number(model_of):
    assert classes_of(model_of(("cat", "dog"), ("n1", "n2"))) == (ImageClass("n1", "cat", "", 0), ImageClass("n2", "dog", "", 1))
    assert folders(classes_of(model_of(("tv/monitor", "dog")))) == ["tv%2Fmonitor", "dog"]
    assert folders(classes_of(model_of(None))) == ["0", "1", "2", "3"]


def test_a_models_classes_are_found_by_synset_before_name(model_of):
    """Both are called crane, and their synsets tell them apart."""
    model = model_of(("crane", "crane", "tench"), ("n03126707", "n02012849", "n01440764"))
    assert [(one.folder, one.label) for one in classes_like(model, Made(imagenet_classes()))] == [
        ("n03126707", 517),
        ("n02012849", 134),
        ("n01440764", 0),
    ]


def test_images_like_a_model_are_aligned_with_it(model_of):
    """The folders are the model's own words, whatever the generator calls the class."""
    names = ("Tench", "golden_retriever", "tiger shark")
    made = classes_like(model_of(names), Made(imagenet_classes()))
    assert [one.label for one in made] == [0, 207, 3]
    images = ArraySet("made", torch.zeros(3, 1, 1).byte().numpy(), torch.arange(3).numpy(), tuple(folders(made)))
    labels, note = align_labels(images, names, None, 3)
    assert (labels.tolist(), note) == ([0, 1, 2], None)


def test_classes_that_cannot_be_made_are_told_and_the_others_made(model_of):
    said = []
    made = classes_like(model_of(("tench", "left\nsock", "unheard of")), Made(imagenet_classes()), say=said.append)
    assert [one.label for one in made] == [0]
    assert said == ["2 of 3 classes of tiny are none of made's, such as 'left\\nsock'; no images are made of them"]
    said.clear()
    classes_like(model_of(("tench", "7")), Made(imagenet_classes()), say=said.append)
    assert said == ["1 of 2 classes of tiny is none of made's, such as '7'; no images are made of it"]
    assert "makes none of the 1 class of tiny ('7')" in refused(classes_like, model_of(("7",)), Made(imagenet_classes()))


def test_a_generator_of_none_of_the_classes_is_an_error_with_the_ways_out(model_of):
    names = tuple(f"thing {index}" for index in range(7))
    told = refused(classes_like, model_of(names), Made(imagenet_classes()))
    assert told == (
        "made makes none of the 7 classes of tiny ('thing 0', 'thing 1', 'thing 2', 'thing 3', 'thing 4', …); "
        "train one on your images with oodkit synth fit, or use a text-to-image generator"
    )


def test_numbers_decide_only_where_they_stand_for_names(model_of):
    said = []
    made = classes_like(model_of(("cat", "dog")), Made(numbered_classes(["0", "1"])), say=said.append)
    assert [(one.folder, one.label) for one in made] == [("cat", 0), ("dog", 1)]
    assert said == ["no class of tiny is named among made's; numbers are taken for places in the order ('0' is 'cat')"]
    assert "makes none" in refused(classes_like, model_of(("cat", "dog")), Made(numbered_classes(["pear", "fig"])))


@pytest.mark.parametrize(
    ("own", "theirs", "places"),
    [
        (("cat", "dog", "fox"), ("2", "0", "1"), [1, 2, 0]),
        (("cat", "dog", "fox"), ("2", "0"), [1, -1, 0]),
        (("cat", "dog", "fox"), ("0", "1", "3"), [-1, -1, -1]),
        (("0", "1", "2"), ("cat", "dog", "fox"), [0, 1, 2]),
        (("0", "1", "3"), ("cat", "dog", "fox"), [-1, -1, -1]),
        (("0", "1"), ("cat", "dog", "fox"), [-1, -1]),
        (("5", "6"), ("0", "1"), [-1, -1]),
        (("0", "1", "3"), ("00", "01", "02"), [0, 1, -1]),
    ],
)
def test_a_number_is_a_place_or_a_number_and_never_its_own_place_among_numbers(model_of, own, theirs, places):
    """For images to be made as for those to be agreed to, which are found the other way round."""
    model, classes = model_of(own), numbered_classes(theirs)
    found = [(place, label) for label, place in enumerate(places) if place >= 0]
    assert places_in(model, classes) == [dict(found).get(place, -1) for place in range(len(theirs))]
    if found:
        made = classes_like(model, Made(classes))
        assert [(one.label, own.index(one.folder)) for one in made] == found
    else:
        assert "makes none" in refused(classes_like, model, Made(classes))


def test_a_text_gets_the_models_name_and_imagenets_definition_of_it(model_of):
    made = classes_like(model_of(("golden retriever", "crane", "sock puppet")), Made())
    assert made[0] == ImageClass("golden retriever", "golden retriever", imagenet_classes()[207].definition)
    assert made[1:] == (ImageClass("crane", "crane"), ImageClass("sock puppet", "sock puppet"))
    by_synset = classes_like(model_of(None, ("n02012849",)), Made())
    assert (by_synset[0].name, by_synset[0].definition) == ("crane", imagenet_classes()[134].definition)


def test_a_generator_that_knows_no_classes_is_sent_to_pseudo_labels(model_of):
    told = refused(classes_like, model_of(("cat", "dog")), Made(conditional=False))
    assert told == "made can't be told which class to make; label its images with --label-with MODEL"


def test_any_words_are_classes_for_a_generator_that_takes_a_text():
    made = classes_named(["sock_puppet", "tench", "Sock Puppet", "n02012849", "tv/set"])
    assert [(one.folder, one.name) for one in made] == [
        ("sock_puppet", "sock puppet"),
        ("tench", "tench"),
        ("n02012849", "crane"),
        ("tv%2Fset", "tv/set"),
    ]
    assert [bool(one.definition) for one in made] == [False, True, True, False]
    assert {one.label for one in made} == {-1}


def test_a_text_that_several_classes_share_or_a_number_is_an_error():
    assert "'crane' is 2 classes" in refused(classes_named, ["crane"])
    assert refused(classes_named, ["207"]) == (
        "'207' is a number, and a generator that takes a text needs a word; class 207 of ImageNet is "
        "207 n02099601 (golden retriever: an English breed having a long silky …)"
    )
    assert refused(classes_named, ["1234"]).endswith("needs a word")
