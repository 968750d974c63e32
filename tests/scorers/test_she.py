import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer

HEAD = Head(torch.eye(4), torch.zeros(4))


def scores_of_each_class(train):
    """Of the features 1 + (0, 1, 2, 4) at the class: each row predicts another class."""
    images = Outputs(torch.ones(4, 4) + torch.eye(4), head=HEAD)
    return make_scorer("she").fit(train).score(images).tolist()


def test_patterns_by_hand():
    """Class 0: right (3, 1, 0, 0), (5, 1, 0, 0) and wrong (0, 9, 0, 0): pattern (4, 1, 0, 0), score 2·4 + 1.

    Class 1: right (0, 2, 0, 0): 2·2. Class 2: wrong alone, (8, 0, 2, 0): 8 + 2·2. Class 3: no image, so the mean of all five,
    (16, 13, 2, 0)/5: 31/5.
    """
    features = torch.tensor([[3.0, 1, 0, 0], [5, 1, 0, 0], [0, 9, 0, 0], [0, 2, 0, 0], [8, 0, 2, 0]])
    train = Outputs(features, torch.tensor([0, 0, 0, 1, 2]), head=HEAD)
    assert scores_of_each_class(train) == pytest.approx([9, 4, 12, 31 / 5])


def test_where_every_image_is_wrong_the_class_means_serve():
    """OpenOOD gives NaN."""
    train = Outputs(torch.eye(4), torch.tensor([1, 2, 3, 0]), head=HEAD)
    assert scores_of_each_class(train) == pytest.approx([1, 1, 1, 1])


def test_it_is_the_product_with_the_predicted_class_and_not_the_largest(toy):
    """oodeel takes the maximum over the classes."""
    features, labels = toy.train.features.double().numpy(), toy.train.labels.numpy()
    right = toy.train.predictions().numpy() == labels
    patterns = np.stack([features[right & (labels == c)].mean(0) for c in range(4)])
    expected = (toy.ood.features.double().numpy() * patterns[toy.ood.predictions().numpy()]).sum(1)
    found = make_scorer("she").fit(toy.train).score(toy.ood)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found.numpy() < (toy.ood.features.double().numpy() @ patterns.T).max(1) - 1e-3).any()


def test_it_learns_from_labelled_images():
    with pytest.raises(NotApplicableError, match="1 of 4 have no label"):
        make_scorer("she").fit(Outputs(torch.eye(4), torch.tensor([0, 1, 2, -1]), head=HEAD))
