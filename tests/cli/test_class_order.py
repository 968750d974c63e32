"""A network that learnt numbered classes in the order of text is found out by its accuracy in that order."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from oodkit.cli.class_order import order_notes
from oodkit.images.arrays import ArraySet

NUMBERS = tuple(map(str, range(100)))


def notes(names, predictions, labels, known=None):
    images = ArraySet("set", np.zeros((len(labels), 1, 1), np.uint8), np.array(labels), names)
    outputs = SimpleNamespace(predictions=lambda: torch.tensor(predictions), labels=torch.tensor(labels))
    model = SimpleNamespace(num_classes=len(names), class_names=known, class_ids=None)
    return order_notes(images, outputs, model)


def by_text(names, labels):
    return [sorted(names).index(names[label]) for label in labels]


LABELS = [label for label in range(100) for _ in range(3)]


def test_the_order_of_imagefolder_is_told_even_of_a_hundred_classes():
    (note,) = notes(NUMBERS, by_text(NUMBERS, LABELS), LABELS)
    assert note == (
        "in the order of text, which is that of torchvision's ImageFolder, the accuracy is 100.0 %, and 12.0 % in that of numbers: "
        "put a letter before the name of each class folder, here and in the training images, which gives that order; until then "
        "believe nothing else"
    )


def test_images_of_no_class_do_not_count():
    (note,) = notes(NUMBERS, [*by_text(NUMBERS, LABELS), 0], [*LABELS, -1])
    assert "the accuracy is 100.0 %" in note


@pytest.mark.parametrize("right", [300, 30])
def test_a_network_that_learnt_the_order_of_numbers_is_left_alone(right):
    predictions = [*LABELS[:right], *np.random.default_rng(0).integers(0, 100, 300 - right)]
    assert notes(NUMBERS, predictions, LABELS) == []


def test_where_there_is_one_order_or_the_model_names_its_classes_nothing_is_asked():
    few = NUMBERS[:10]
    assert notes(few, list(range(9, -1, -1)), list(range(10))) == []
    assert notes(NUMBERS, by_text(NUMBERS, LABELS), LABELS, known=NUMBERS) == []
