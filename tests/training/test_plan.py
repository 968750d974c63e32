"""What is settled before a training begins: what goes before what, what is said of it, and what is refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image

import oodkit
from oodkit import open_images
from oodkit.errors import ImageSetError, OodkitError, UnsupportedModelError, UsageError
from oodkit.images.arrays import ArraySet
from oodkit.training.folder import differences
from oodkit.training.plan import Sets, Shape, plan

from .small import digits

SMALL = Shape(input_size=32)


def planned(recipe="v1", start="test_resnet", data=None, *, alpha=None, shape=SMALL, settings=None, **sets):
    return plan(start, Sets(data or digits(), **sets), recipe, alpha, shape, settings or {})


def squares(labels, names=None, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    return ArraySet(f"squares-{seed}", images, np.array(labels), names)


def refusal(**changes):
    with pytest.raises(OodkitError) as refused:
        planned(**changes)
    text = str(refused.value)
    assert "\n" not in text
    return type(refused.value), text


def test_without_a_word_it_is_openoods_training():
    own, large = planned().settings, planned(shape=Shape(input_size=96)).settings
    assert (own.epochs, own.batch_size, own.lr, own.weight_decay, own.optimizer) == (100, 128, 0.1, 5e-4, "sgd")
    assert (large.epochs, large.batch_size) == (90, 256)


def test_the_user_goes_before_the_recipe_and_the_recipe_before_the_defaults():
    own = planned("v2").settings
    assert (own.ema, own.repeats, own.weight_decay, own.lr) == (True, 4, 2e-5, 0.1)
    said = planned("v2", settings={"ema": False, "weight_decay": 1e-3, "epochs": 7}).settings
    assert (said.ema, said.repeats, said.weight_decay, said.epochs) == (False, 4, 1e-3, 7)
    assert planned("augrevise").settings.augdelete
    assert not planned("augrevise", settings={"augdelete": False}).settings.augdelete


def test_a_recipes_rise_of_the_learning_rate_is_at_most_a_tenth_of_the_training_and_the_users_own_is_kept():
    short = planned("v2", settings={"epochs": 3})
    assert short.settings.warmup == pytest.approx(0.3)
    assert "the learning rate rises for 0.3 epochs, a tenth of all, and not for 5 as v2 has it" in short.notes
    assert planned("v2", settings={"epochs": 100}).settings.warmup == 5
    assert planned("v2", settings={"epochs": 3, "warmup": 2.0}).settings.warmup == 2


def test_finetuning_is_short_and_gentle_unless_the_user_says_otherwise():
    start = oodkit.load_classifier("demo:digits-v1")
    own = planned("v2", start, shape=Shape()).settings
    assert (own.epochs, own.lr, own.weight_decay) == (10, 0.01, 2e-5)
    assert planned("v1", start, shape=Shape(), settings={"lr": 0.1, "epochs": 2}).settings.lr == 0.1


def test_adamw_has_numbers_of_its_own_also_where_a_recipe_has_some_for_sgd():
    start, adamw = oodkit.load_classifier("demo:digits-v1"), {"optimizer": "adamw"}
    scratch, onwards = planned(settings=adamw), planned(start=start, shape=Shape(), settings=adamw)
    assert [(one.settings.lr, one.settings.weight_decay) for one in (scratch, onwards)] == [(1e-3, 0.05), (1e-4, 0.05)]
    assert onwards.settings.epochs == 10
    told = "the weight decay of v2, 2e-05, is for sgd: adamw takes 0.05; --weight-decay sets another"
    of_v2, given = planned("v2", settings=adamw), planned("v2", settings={**adamw, "lr": 0.003, "weight_decay": 0.01})
    assert (of_v2.settings.weight_decay, of_v2.settings.norm_weight_decay, told in of_v2.notes) == (0.05, 0, True)
    assert (given.settings.lr, given.settings.weight_decay, told in given.notes) == (0.003, 0.01, False)


def test_alpha_is_the_share_of_real_images_and_naive_that_of_a_merged_set():
    synthetic = squares([0, 1, 2, 3] * 36, tuple("01234567"))
    assert planned().settings.alpha == 1
    assert planned(synthetic=synthetic).settings.alpha == 0.8
    assert planned(synthetic=synthetic, alpha=0.5).settings.alpha == 0.5
    naive = planned(synthetic=synthetic, alpha="naive")
    assert naive.settings.alpha == 48 / (48 + 144)
    assert any(note.startswith("naive mixing: 25.0 % of each batch are real images") for note in naive.notes)


def test_naive_mixing_draws_one_of_each_kind_where_there_are_few_of_it():
    synthetic, names = squares([0, 1], tuple("01234567")), tuple("01234567")
    few = planned(synthetic=synthetic, alpha="naive", settings={"batch_size": 8})
    many = planned(
        data=squares([0, 1], names), synthetic=squares([0, 1] * 40, names, seed=1), alpha="naive", settings={"batch_size": 8}
    )
    assert [round(8 * one.settings.alpha) for one in (few, many)] == [7, 1]
    assert any(note.startswith("naive mixing: 87.5 % of each batch are real images") for note in few.notes)
    with pytest.raises(UsageError, match=r"alpha 0\.99 leaves no synthetic image in a batch of 8"):
        planned(synthetic=synthetic, alpha=0.99, settings={"batch_size": 8})


def test_alpha_of_1_is_plain_training_and_says_so():
    alone = planned(synthetic=squares([0, 1], tuple("01234567")), alpha=1.0)
    assert alone.synthetic is None
    assert "with alpha 1 no synthetic image is drawn: this is plain training" in alone.notes


def test_what_is_to_be_said_of_the_images_is_said():
    few = planned(data=squares([0, 0, 3], tuple("abcde"))).notes
    assert "3 of 5 classes have no training images: they will never be predicted" in few
    large = planned(shape=Shape()).notes
    assert "images of 32 × 32 pixels are enlarged to 160 × 160; --input-size 32 takes far less time" in large
    assert "no validation images were given, so that no accuracy is told: --val SET" in large
    val = squares([0, 0, 1], ("0", "nine"))
    assert "squares-0: of 3 images 1 image is of no class that is trained and left out" in planned(val=val).notes
    fewer = planned(val=squares([0, 1, 1], ("0", "nine"))).notes
    assert "squares-0: of 3 images 2 images are of no class that is trained and left out" in fewer
    one = planned(data=squares([0, 3, 1, 2], tuple("abcde"))).notes
    assert "1 of 5 classes has no training images: it will never be predicted" in one


def test_the_same_arguments_ask_for_the_same_and_json_can_hold_it():
    one, other = planned("mixup", val=digits("val", 24)), planned("mixup:alpha=0.2", val=digits("val", 24))
    assert one.asked["settings"]["seed"] == 0
    assert differences(one.asked, one.asked) == []
    assert len(differences(one.asked, planned(val=digits("val", 24)).asked)) == 1
    assert differences(one.asked, other.asked) == []


def test_an_image_set_that_moved_is_the_same_and_one_that_changed_is_not():
    there = {"sets": {"data": {"spec": "here", "fingerprint": "1"}}, "settings": {"lr": 0.1}}
    moved = {"sets": {"data": {"spec": "there", "fingerprint": "1"}}, "settings": {"lr": 0.1}}
    changed = {"sets": {"data": {"spec": "here", "fingerprint": "2"}}, "settings": {"lr": 0.1}}
    assert differences(there, moved) == []
    assert differences(there, changed) == ["the images of data, here, have changed since"]


def test_differences_of_hostile_names_are_spelled_out():
    there, here = ({"sets": {"data": {"spec": f"{name}\x1b[2J", "fingerprint": name}}} for name in ("a", "b"))
    assert differences(there, here) == [r"data a\x1b[2J there, b\x1b[2J here"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "mixpu"}, "unknown recipe: 'mixpu'; did you mean mixup"),
        ({"recipe": "mixup:alhpa=1"}, "unknown setting of mixup: 'alhpa'; did you mean alpha?"),
        ({"settings": {"epoch": 3}}, "unknown setting of training: 'epoch'; did you mean epochs?"),
        ({"settings": {"epochs": 3.5}}, "training:epochs takes a whole number, got 3.5"),
        ({"settings": {"lr": -1.0}}, "lr must be a number above 0, got -1.0"),
        ({"settings": {"weight_decay": -1.0}}, "weight_decay must be 0 or more, got -1.0"),
        ({"settings": {"norm_weight_decay": -1.0}}, "norm_weight_decay must be 0 or more, got -1.0"),
        ({"settings": {"alpha": 0.5}}, "alpha is no setting of training by itself: it is given beside synthetic images"),
        ({"alpha": 0.8}, "alpha 0.8 is the share of real images beside synthetic ones: give --synthetic SET, or leave it out"),
        ({"alpha": "naive"}, "alpha naive is the share of real images beside synthetic ones: give --synthetic SET"),
        ({"recipe": "outlier-exposure"}, "outlier-exposure trains with images of none of the classes: give --outliers SET"),
        ({"recipe": "pixmix"}, "pixmix trains with images to mix in: give --mixing SET"),
        ({"outliers": "digits-unseen"}, "v1 has no use for images of none of the classes (--outliers); leave them out, or take "),
        ({"mixing": "photo-patches"}, "v1 has no use for images to mix in (--mixing); leave them out, or take pixmix"),
        ({"val": "digits:train"}, "the set given as --val is the very set given as --data; give other images, or leave it out"),
    ],
)
def test_what_can_not_be_trained_is_refused(changes, message):
    opened = {name: open_images(f"demo:{one}") for name, one in changes.items() if name in {"val", "outliers", "mixing"}}
    data = {"data": open_images("demo:digits:train")} if "val" in opened else {}
    kind, text = refusal(**{**changes, **opened, **data})
    assert issubclass(kind, UsageError)
    assert message in text


def test_shares_that_are_none_are_refused():
    for alpha in (0, -0.1, 1.5, float("nan"), "nave"):
        kind, text = refusal(synthetic=squares([0, 1], tuple("01234567")), alpha=alpha)
        assert kind is UsageError
        assert text == f"alpha is the share of real images in each batch, above 0 and at most 1, or naive; got {alpha}"


def test_images_that_can_not_be_learnt_from_are_refused():
    kind, text = refusal(data=open_images("demo:digits-unseen"))
    assert kind is ImageSetError
    assert text.startswith("training needs a label for each image: of the 354 of demo:digits-unseen 354 images have none, such as")
    kind, text = refusal(data=squares([1, 1, 1], ("cat", "dog")))
    assert (kind, text) == (ImageSetError, "training needs images of two classes or more, all of squares-0 are of one, 'dog'")


def test_classes_that_no_name_tells_apart_are_refused():
    kind, text = refusal(data=squares([0, 1, 2], ("cat", "Red_fox", "red fox")))
    assert kind is ImageSetError
    assert text.startswith("squares-0 has another class whose name is the same as 'Red_fox' (letter case does not count")


def test_classes_that_do_not_fit_are_refused():
    animals = ("cat", "dog", "emu")
    for name in ("val", "synthetic"):
        for classes in (animals, tuple("ABCDEFGH")):
            kind, text = refusal(**{name: squares([0, 1, 2], classes)})
            assert kind is ImageSetError
            assert text.startswith(f"no class of squares-0 is one of the training images': {classes[0]!r} here, '0' there; ")
    kind, text = refusal(val=squares([-1, -1]))
    assert (kind, text) == (
        ImageSetError,
        "no image of squares-0, given as --val, has one of the classes that are trained; check its classes",
    )
    kind, text = refusal(val=squares([0, 9]))
    assert (kind, text) == (ImageSetError, "squares-0 has labels up to 9, the model has 8 classes (0 to 7)")


def test_a_network_that_can_not_be_built_is_refused():
    assert "test_resnt" in refusal(start="test_resnt")[1]
    kind, text = refusal(start="test_vit", shape=Shape(input_size=33))
    assert issubclass(kind, OodkitError)
    assert "33" in text
    assert refusal(shape=Shape(input_size=(3, 32, 48)))[1].startswith("training takes square images of three channels")


def test_a_classifier_has_its_own_shape(tmp_path):
    start = oodkit.load_classifier("demo:digits-v1")
    kind, text = refusal(start=start, shape=Shape(input_size=64))
    assert (kind, text) == (UsageError, "demo:digits-v1 has its own input_size; give it to load_classifier, or leave it out")


def test_the_first_image_may_be_unreadable(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    (tmp_path / "a" / "0.png").write_bytes(b"")
    assert len(planned(data=open_images(tmp_path)).real) == 3


def test_of_a_recipe_that_trains_no_last_layer_it_is_said_that_no_network_is_kept_as_the_best():
    val = digits("val", 24)
    assert any(
        "npos trains no last layer, so that no network is kept as the best" in note for note in planned("npos", val=val).notes
    )
    message = "npos trains no last layer, and without AugDelete the network answers at random; let it refit"
    assert refusal(recipe="npos", settings={"augdelete": False}) == (UsageError, message)
    assert not any("no last layer" in note for note in planned("mos", val=val).notes)


def test_what_a_recipe_can_not_train_is_refused_before_anything_is_trained():
    several = "this recipe needs a network that ends in one linear layer; the logits of this one are the mean of several layers"
    for recipe in ("vos", "npos", "godin", "mos", "t2fnorm"):
        kind, text = refusal(recipe=recipe, start="deit_tiny_distilled_patch16_224")
        assert (kind, text) == (UnsupportedModelError, several)
    assert planned("v1", "deit_tiny_distilled_patch16_224").head == ""
    kind, text = refusal(recipe="mos:groups=9")
    assert (kind, text) == (UsageError, "recipe mos needs at most as many groups as the 8 classes, got groups=9")


def test_an_alpha_that_leaves_a_batch_without_synthetic_images_is_refused():
    kind, text = refusal(synthetic=squares([0, 1], tuple("01234567")), alpha=0.999, settings={"batch_size": 16})
    assert kind is UsageError
    assert text == "alpha 0.999 leaves no synthetic image in a batch of 16; lower it or raise the batch size"


def test_more_images_in_a_batch_than_there_are_are_told():
    few = planned(data=squares([0, 1, 2] * 3, tuple("abc")), settings={"batch_size": 500}).notes
    assert any(note.startswith("a batch of 500 holds each of the 9 images about 56 times") for note in few)
    assert not any("a batch of" in note for note in planned(settings={"batch_size": 48}).notes)


def test_weights_that_the_name_has_and_training_does_not_begin_from_are_told():
    told = "the weights of {0} are not loaded: training begins from random ones; oodkit finetune {0} begins from them"
    for start in ("test_resnet.r160_in1k", "torchvision:resnet18/IMAGENET1K_V1"):
        assert told.format(start) in planned(start=start).notes
    for start in ("test_resnet", "torchvision:resnet18", "timm:test_resnet"):
        assert not any("not loaded" in note for note in planned(start=start).notes)


def test_planning_leaves_the_callers_generator_as_it_was():
    torch.manual_seed(0)
    planned("mos")
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.rand(1).equal(after)


@pytest.mark.parametrize(
    "start", ["local-dir:oodkit-runs/train-001", "py:net.py:net", "hf-hub:timm/resnet18", "run/best.safetensors"]
)
def test_a_network_with_weights_is_no_architecture_and_the_way_to_train_it_further_is_named(start):
    kind, text = refusal(start=start)
    assert kind is UsageError
    assert text.startswith(f"{start} is a network with its weights, and train builds a network anew")
    assert text.endswith(f"; oodkit finetune {start} begins from them")
