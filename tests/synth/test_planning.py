"""What can't be made is said before anything is: in one line, with the way out."""

from typing import Any

import pytest

from oodkit.errors import UsageError
from oodkit.synth.base import ImageClass
from oodkit.synth.planning import plan_synthesis

from .stand_in import CLASSES, Looks, StandIn, labelling


def free(**more: Any) -> StandIn:
    return StandIn(conditional=False, **more)


@pytest.mark.parametrize(
    ("generator", "asked", "text"),
    [
        (StandIn(), {"per_class": 0}, "per_class is a whole number of at least 1, got 0"),
        (StandIn(), {"size": 2.5}, "size is a whole number of at least 1, got 2.5"),
        (StandIn(), {"size": 3}, "size is the side of images in pixels, 4 to 8192, got 3"),
        (StandIn(), {"size": 8193}, "size is the side of images in pixels, 4 to 8192, got 8193"),
        (StandIn(), {"batch_size": "some"}, "batch_size is a whole number of at least 1, got 'some'"),
        (StandIn(), {"min_confidence": 1.5}, "min_confidence is a probability, 0 to 1, got 1.5"),
        (StandIn(), {"min_confidence": float("nan")}, "min_confidence is a probability, 0 to 1, got nan"),
        (StandIn(), {"min_confidence": 0.5}, "min_confidence needs a classifier that looks at the images: label_with"),
        (StandIn(), {"keep_agreeing": True}, "keep_agreeing needs a classifier that looks at the images: label_with"),
        (StandIn(), {"save_format": "gif"}, "images are saved as png or jpeg, got 'gif'"),
        (StandIn(), {"quality": 0}, "quality, of jpeg, is 1 to 100, got 0"),
        (StandIn(), {"seed": "one"}, "seed is a whole number, got 'one'"),
        (StandIn(), {"count": 5}, "stand-in makes images of classes: give per_class"),
        (StandIn(), {"classes": []}, "stand-in makes images of any class; say of which: classes"),
        (StandIn(classes=None), {}, "stand-in makes images of any class; say of which: classes"),
        (free(), {"classes": CLASSES}, "stand-in can't be told a class; leave classes out"),
        (free(), {}, "stand-in knows no classes: give label_with, by which images get their labels, or count"),
        (free(), {"keep_agreeing": True, "label_with": Looks()}, "labels come from the classifier itself; leave keep_agreeing out"),
        (StandIn(there={"cat": 0, "n02": 0, "x_y": 0}), {}, "stand-in has no image of what is asked for; choose other classes"),
        (StandIn(), {"per_class": 10**9}, "3000000000 images are asked for, and a synthesis has 100000000 at most; ask for fewer"),
        (free(), {"count": 10**12}, "1000000000000 images are asked for"),
        *[
            (StandIn(), {"classes": [ImageClass(name, "a") for name in names]}, "two of the classes have folders of the same name")
            for names in (("a", "A"), ("a_b", "a b"))
        ],
        *[
            (StandIn(), {"classes": [ImageClass(name, "a")]}, "is no name for the folder of a class")
            for name in ("", ".", "..", ".hidden", "a/b", "a\\b", "/tmp", "a\0", "a\x1b[31m", "c:", "Run.json")
        ],
        *[
            (StandIn(), {"classes": [ImageClass(name, "a")]}, "is no name for the folder of a class")
            for name in ("end.", "NUL", "\ud800", "n" * 256)
        ],
    ],
)
def test_what_can_t_be_made_is_one_line(generator: StandIn, asked: dict[str, Any], text: str) -> None:
    with labelling(), pytest.raises(UsageError, match=text) as caught:
        plan_synthesis(generator, **asked)
    assert str(caught.value).isprintable()


def test_by_default_there_are_a_hundred_images_of_each_class_that_the_generator_knows() -> None:
    plan = plan_synthesis(StandIn())
    assert (plan.items, plan.classes, plan.labels, plan.quota) == (300, CLASSES, CLASSES, None)
    assert plan_synthesis(StandIn(), classes=CLASSES[1:], per_class=7).items == 14


def test_without_classes_there_are_as_many_and_a_quota_only_where_it_is_said() -> None:
    with labelling():
        plans = [plan_synthesis(free(), label_with=Looks(), **asked) for asked in ({}, {"per_class": 5}, {"count": 8})]
    assert [(plan.items, plan.quota, plan.labels) for plan in plans] == [(300, None, CLASSES), (15, 5, CLASSES), (8, None, CLASSES)]
    assert plan_synthesis(free(), count=8).labels == ()


def test_what_there_is_too_little_of_is_noted() -> None:
    plan = plan_synthesis(StandIn(there={"cat": 9, "n02": 2, "x_y": 0}), per_class=5)
    assert plan.items == 7
    assert plan.notes == ("stand-in has fewer than 5 images of 2 classes, such as 0 of x y",)
    assert plan_synthesis(free(there={"": 3}), count=4).notes == ("stand-in has 3 images, and 4 were asked for",)


def test_where_nothing_is_said_all_images_are_taken_that_were_made_elsewhere() -> None:
    plan = plan_synthesis(StandIn(there={"cat": 9, "n02": 250, "x_y": 0}))
    assert (plan.items, plan.notes) == (259, ("stand-in has no image of 1 class, such as x y",))
    assert plan_synthesis(free(there={"": 3})).items == 3
    with labelling():
        assert plan_synthesis(free(there={"": 900}), label_with=Looks()).items == 900


def test_images_that_are_enlarged_are_noted() -> None:
    assert "images of 8 pixels are enlarged to 9" in plan_synthesis(StandIn(), size=9).notes[0]
    assert not plan_synthesis(StandIn(), size=8).notes


def test_what_decides_the_images_is_asked_and_what_does_not_is_not() -> None:
    first = plan_synthesis(StandIn(), per_class=5).asked
    assert first == plan_synthesis(StandIn(batch_size=1), per_class=5, batch_size=2, device="cpu", quality=90).asked
    with labelling():
        others = [
            plan_synthesis(StandIn(), per_class=5, **one).asked
            for one in ({"seed": 1}, {"size": 4}, {"save_format": "jpeg"}, {"classes": CLASSES[:2]}, {"label_with": Looks()})
        ]
    assert all(first != other for other in others)
