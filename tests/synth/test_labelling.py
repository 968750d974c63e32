"""Pseudo-labels and agreement are what the classifier says, with its own transform."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from oodkit.errors import InputError, UsageError
from oodkit.synth.base import ImageClass
from oodkit.synth.classes import numbered_classes
from oodkit.synth.labelling import Labeller, imbalance


@pytest.fixture
def images():
    """Of different sizes, which the model's transform makes one."""
    draws = torch.Generator().manual_seed(0)
    return [torch.randint(256, (3, side, side + 1), generator=draws, dtype=torch.uint8) for side in (8, 5, 12, 8, 20)]


@pytest.fixture
def said(tiny_model, images):
    """Each image's softmax, one image after the other."""
    pixels = [tiny_model.transform(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images]
    with torch.no_grad():
        return torch.cat([tiny_model.net(one[None]).double().softmax(1) for one in pixels])


def test_the_label_is_the_top_class_and_the_confidence_its_softmax(tiny_model, images, said):
    with Labeller(tiny_model, device="cpu") as labeller:
        verdicts = labeller(images, [None] * 5)
    assert [one.predicted for one in verdicts] == said.argmax(1).tolist()
    assert [one.of.folder for one in verdicts] == [tiny_model.class_names[one] for one in said.argmax(1)]
    assert [one.confidence for one in verdicts] == pytest.approx(said.amax(1).tolist(), abs=1e-6)
    assert {one.dropped for one in verdicts} == {""}


def test_what_the_model_is_less_sure_of_is_dropped(tiny_model, images, said):
    middle = float(said.amax(1).median())
    with Labeller(tiny_model, min_confidence=middle - 1e-6, device="cpu") as labeller:
        dropped = [one.dropped for one in labeller(images, [None] * 5)]
    assert dropped == ["unsure" if one < middle - 1e-6 else "" for one in said.amax(1).tolist()]
    assert dropped.count("unsure") == 2


def test_an_image_of_another_class_than_asked_for_is_dropped_where_it_has_to_agree(tiny_model, images, said):
    """Classes are found by the model's names, whatever order they are in."""
    classes = (ImageClass("Fox", "fox"), ImageClass("CAT", "cat"), ImageClass("x", "dog"))
    asked = [classes[place % 3] for place in range(5)]
    with Labeller(tiny_model, classes, keep_agreeing=True, device="cpu") as labeller:
        verdicts = labeller(images, asked)
    assert [one.of for one in verdicts] == asked
    own = {"fox": 2, "cat": 0, "dog": 1}
    expected = ["" if own[of.name] == top else "disagreed" for of, top in zip(asked, said.argmax(1).tolist(), strict=True)]
    assert [one.dropped for one in verdicts] == expected
    assert {"", "disagreed"} == set(expected)
    with Labeller(tiny_model, classes, device="cpu") as labeller:
        assert {one.dropped for one in labeller(images, asked)} == {""}
        assert labeller.folders == ("CAT", "x", "Fox"), "the model's classes in its order, by the folders that were asked for"


def test_a_class_that_the_model_does_not_have_cannot_be_agreed_to(tiny_model):
    classes = (ImageClass("cat", "cat"), ImageClass("owl", "an\nowl"))
    told = "tiny can't agree to 1 of 2 classes, such as 'an\\nowl', which it does not have; leave them or --keep-agreeing out"
    with pytest.raises(UsageError) as caught:
        Labeller(tiny_model, classes, keep_agreeing=True, device="cpu")
    assert str(caught.value) == told
    Labeller(tiny_model, classes, device="cpu")


def test_numbered_classes_are_the_models_in_their_order(tiny_model, images, said):
    classes = numbered_classes(["0", "1", "2"])
    with Labeller(tiny_model, classes, keep_agreeing=True, device="cpu") as labeller:
        verdicts = labeller(images, [classes[top] for top in said.argmax(1)])
    assert {one.dropped for one in verdicts} == {""}


def test_the_network_is_as_before_afterwards(tiny_model, images):
    tiny_model.net.train()
    with Labeller(tiny_model, device="cpu") as labeller:
        assert not tiny_model.net.training
        assert labeller([], []) == []
    assert tiny_model.net.training
    assert all(weight.requires_grad for weight in tiny_model.net.parameters())


def test_an_image_that_the_transform_refuses_is_one_line(tiny_model, images):
    def refusing(image):
        raise ValueError("too\nsmall")

    with Labeller(replace(tiny_model, transform=refusing), device="cpu") as labeller, pytest.raises(InputError) as caught:
        labeller(images[:1], [None])
    assert str(caught.value) == "tiny can't label an image of 8 × 9 pixels: its transform raised ValueError: too small"


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({}, None),
        ({"cat": 0, "dog": 0}, None),
        ({"cat": 4, "dog": 2}, None),
        ({"cat": 5, "dog": 2}, "classes are uneven: 5 images of 'cat', 2 of 'dog'; "),
        ({"cat": 5, "\x1b": 0, "owl": 0}, "no image was kept of 2 of 3 classes, such as '\\x1b'; "),
        ({"1": 2, "2": 9}, "classes are uneven: 9 images of '2', 2 of '1'; "),
    ],
)
def test_classes_that_are_uneven_or_got_nothing_are_told(kept, told):
    """More than twice as many in the largest class as in the smallest; no image at all is told elsewhere."""
    note = imbalance(kept)
    assert note == told or note.startswith(told)
