"""What an ablation refuses, in one line, before it trains anything."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from oodkit.ablation.planning import How, plan_ablation
from oodkit.ablation.trial import Judge
from oodkit.demo.sets import DemoSet
from oodkit.errors import ImageSetError, ModelNotFoundError, UsageError
from oodkit.training.plan import Shape

from .stand_in import demo_images

IMAGES = demo_images(40)
FAR = IMAGES.ood["photo-patches"]
planned = partial(plan_ablation, "test_resnet", ["mixup"], [0], IMAGES)


def recipes(*names):
    return partial(plan_ablation, "test_resnet", names, [0], IMAGES)


def seeds(*numbers):
    return partial(plan_ablation, "test_resnet", ["mixup"], numbers, IMAGES)


def images(**changed):
    return partial(plan_ablation, "test_resnet", ["mixup"], [0], replace(IMAGES, **changed))


def training(**changed):
    return images(training=replace(IMAGES.training, **changed))


REFUSED = {
    "the recipe mixup comes twice": recipes("mixup", "cutmix", "mixup"),
    "the recipe v1 comes twice": recipes("v1", "v1"),
    "the recipe mixup comes twice; give each once, or": recipes("mixup", "mixup:alpha=0.2"),
    "unknown recipe: 'mixupp'; did you mean mixup": recipes("mixupp"),
    "unknown setting of mixup: 'alpa'": recipes("mixup:alpa=1"),
    "the seed 1 comes twice": seeds(0, 1, 1),
    "from 0, got none": seeds(),
    "from 0, got 0, -1": seeds(0, -1),
    "no out-of-distribution images: give --near NAME=SET": images(ood={}, groups={}),
    "--id is the very set given as --data": images(id_test=IMAGES.training.data),
    "the OOD set 'far' is the very set given as --id": images(ood={"far": IMAGES.id_test}, groups={"far": "far"}),
    "the OOD set 'x' is the very set given as --val": images(ood={"x": IMAGES.training.val}, groups={"x": "far"}),
    "an OOD set can't be named 'train', which the tables use already": images(ood={"train": FAR}, groups={"train": "far"}),
    "an OOD set can't be named 'mean', which": images(ood={"mean": FAR}, groups={"mean": "far"}),
    "an OOD set is near or far, got x=fra": images(ood={"x": FAR}, groups={"x": "fra"}),
    "pixmix trains with images to mix in: give --mixing SET": recipes("pixmix"),
    "none of the recipes trains with --outliers: v1, mixup": training(outliers=demo_images(30).ood["photo-patches"]),
    "odin runs the network again on each image": partial(planned, judge=Judge(("odin",))),
    "unknown scorer: 'knm'": partial(planned, judge=Judge(("knm",))),
    "unknown setting of training: 'epoch'": partial(planned, how=How(settings={"epoch": 3})),
    "epochs must be 1 or more, got 0": partial(planned, how=How(settings={"epochs": 0})),
    "alpha 0.5 is the share of real images beside synthetic": partial(planned, how=How(alpha=0.5)),
    "no stem 'big'": partial(planned, how=How(Shape(stem="big"))),
}


@pytest.mark.parametrize(("told", "refused"), REFUSED.items())
def test_what_can_not_be_used_is_refused(told, refused):
    with pytest.raises(UsageError) as error:
        refused()
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_test_images_of_other_classes_are_refused():
    wrong = DemoSet("mine", np.zeros((1, 32, 32, 3), np.uint8), np.array([0]), ["a"], ("unicorn",))
    with pytest.raises(
        ImageSetError, match=r"1 of 1 images of mine belong to none of the 8 classes of demo:digits:train \(0, 1, 2"
    ):
        images(id_test=wrong)()


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ModelNotFoundError, match="resnet181"):
        plan_ablation("resnet181", ["mixup"], [0], IMAGES)


def test_several_processes_are_told_to_share_a_folder(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="an ablation runs in one process: start one for each GPU with seeds of its own"):
        planned()


def test_outliers_go_to_the_recipes_that_train_with_them():
    own = replace(IMAGES.training, outliers=demo_images(30).ood["photo-patches"])
    found = plan_ablation("test_resnet", ["mixup", "outlier-exposure"], [0], replace(IMAGES, training=own))
    assert [key[0] for key, asked in found.asked.items() if "outliers" in asked["sets"]] == ["outlier-exposure"]


def test_the_maximal_logit_is_always_a_scorer_and_each_is_one_once():
    assert planned(judge=Judge(("knn", "knn:k=50", "msp"))).judge.scorers == ["mls", "knn", "msp"]
    assert planned(judge=Judge(("knn:k=5", "mls"))).judge.scorers == ["knn:k=5", "mls"]


def test_recipes_train_as_they_are_meant_to_unless_told():
    plan = plan_ablation("test_resnet", ["v2"], [0], IMAGES)
    told = plan_ablation("test_resnet", ["v2"], [0], IMAGES, How(settings={"ema": False}))
    assert (plan.asked["v2", 0]["settings"]["ema"], plan.asked["v1", 0]["settings"]["ema"]) == (True, False)
    assert not told.asked["v2", 0]["settings"]["ema"]


def test_what_is_to_be_said_of_recipes_is_said_once_and_of_whom():
    """Nothing of missing validation images: the accuracy on the test images is in the table."""
    own = replace(IMAGES, training=replace(IMAGES.training, val=None))
    notes = plan_ablation("test_resnet", ["mos", "v2"], [0, 1], own, How(settings={"epochs": 2})).notes
    assert any(recipe == "mos" and "log-odds" in note for recipe, note in notes)
    assert any(recipe == "v2" and note.startswith("the learning rate rises for 0.2 epochs") for recipe, note in notes)
    assert not any("validation" in note for _, note in notes)
    assert len(notes) == len(set(notes))
