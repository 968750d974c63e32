"""Agreement with the labels, confidence, and what a new head learns of a set's features."""

import numpy as np
import pytest
import torch

from oodkit.head import Head
from oodkit.images import open_images
from oodkit.outputs import Outputs
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.draws import Classes
from oodkit.synth.quality.labels import Agreement, known_as, probe_accuracy


def sample(features, labels, head=None):
    head = head or Head(torch.eye(features.shape[1]), torch.zeros(features.shape[1]))
    return Sample(Outputs(features, head=head), torch.tensor(labels), np.arange(len(labels)))


def known(folder, model, **changes):
    images = open_images(folder)
    for name, value in changes.items():
        setattr(images, name, value)
    classes = Classes.of(images)
    return known_as(images, classes, classes.own_labels(images), model)


def test_the_classifier_s_number_of_each_class_is_found_by_name(image_folder, tiny_model):
    """The set's order is dog, fox; the model's is cat, dog, fox."""
    numbers, note = known(image_folder("real", ("dog", "fox")), tiny_model)
    assert (numbers.tolist(), note) == ([1, 2], None)


def test_a_classifier_that_lacks_a_class_says_which(image_folder, tiny_model):
    numbers, note = known(image_folder("real", ("dog", "wolf")), tiny_model)
    assert numbers is None
    assert note == "tiny does not know 1 of the 2 classes, such as 'wolf': agreement and confidence can't be told"


def test_numbers_mean_nothing_to_a_classifier_of_another_many_classes(image_folder, tiny_model):
    numbers, note = known(image_folder("real", ("a", "b")), tiny_model, class_names=None)
    assert numbers is None
    assert note == "the real images have 2 classes without names, tiny has 3: agreement and confidence can't be told"
    numbers, _ = known(image_folder("three", ("a", "b", "c")), tiny_model, class_names=None)
    assert numbers.tolist() == [0, 1, 2]


def test_real_images_without_classes_say_what_can_t_be_told(image_folder, tiny_model):
    numbers, note = known(image_folder("real", ("cat",)) / "cat", tiny_model)
    assert numbers is None
    assert note == "the real images have no classes: agreement, confidence and a new head's accuracy can't be told"


def test_agreement_is_by_image_and_confidence_the_mean_largest_probability():
    """Logits (0, 0) and (log 3, 0): probabilities ½ and ¾; labels 0 and 1 are classes 1 and 0 of the classifier."""
    found = Agreement.of(sample(torch.tensor([[0.0, 0.0], [np.log(3), 0.0]]), [1, 1]), torch.tensor([1, 0]))
    assert found.right.tolist() == [True, True]
    assert found.confidence == pytest.approx(0.625)
    assert Agreement.of(sample(torch.tensor([[0.0, 2.0]]), [1]), torch.tensor([1, 0])).right.tolist() == [False]


def clusters(seed, labels, centres):
    noise = 0.3 * torch.randn(len(labels), 2, generator=torch.Generator().manual_seed(seed))
    return sample(torch.tensor(centres)[labels] + noise, labels)


def test_a_head_learns_what_the_features_tell_and_no_more():
    """Labels 3 and 5 of clusters 4 apart; of swapped labels it learns to be wrong; where both lie on one place it has to guess."""
    labels = [3, 5] * 40
    apart = [[0.0, 0.0]] * 3 + [[0.0, 0.0], [0.0, 0.0], [4.0, 0.0]]
    test = clusters(1, labels, apart)
    assert probe_accuracy(clusters(0, labels, apart), test, 0) == 1
    assert probe_accuracy(clusters(0, labels, [*apart[:3], apart[5], apart[4], apart[3]]), test, 0) == 0
    assert 0.2 < probe_accuracy(clusters(0, labels, [apart[0]] * 6), test, 0) < 0.8


def test_there_is_nothing_to_learn_of_one_class():
    one = clusters(0, [0] * 8, [[0.0, 0.0]])
    assert probe_accuracy(one, one, 0) is None
