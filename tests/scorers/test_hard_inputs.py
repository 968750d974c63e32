"""Images, heads and classes that are hard to learn from: every registered scorer gives finite scores, or its reason."""

import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer

every_scorer = pytest.mark.parametrize("name", SCORERS)


def _zero_rows(toy):
    features = toy.train.features.clone()
    features[::5] = 0
    return toy.head, features, toy.train.labels


def _dead_features(toy):
    features = toy.train.features.clone()
    features[:, 20:26] = 0
    features[:, 30:] = 1.5
    return toy.head, features, toy.train.labels


def _dependent_features(toy):
    features = toy.train.features.clone()
    features[:, 18:24] = features[:, 24:30]
    return toy.head, features, toy.train.labels


def _few_images(toy):
    return toy.head, toy.train.features[:22], toy.train.labels[:22]


def _a_class_without_images(toy):
    kept = toy.train.labels != 2
    return toy.head, toy.train.features[kept], toy.train.labels[kept]


def _one_image_a_class(toy):
    features = torch.cat([toy.train.features[:80], toy.train.features[3:4]])
    return toy.head, features, torch.cat([toy.train.labels[:80] % 3, torch.tensor([3])])


def _huge_logits(toy):
    return Head(1e4 * toy.head.weight, 1e4 * toy.head.bias), toy.train.features, toy.train.labels


def _identical_weight_rows(toy):
    weight = toy.head.weight.clone()
    weight[1] = weight[0]
    return Head(weight, toy.head.bias), toy.train.features, toy.train.labels


def _two_classes(toy):
    return Head(toy.head.weight[:2], toy.head.bias[:2]), toy.train.features, toy.train.labels % 2


def _no_bias(toy):
    return Head(toy.head.weight, torch.zeros(4)), toy.train.features, toy.train.labels


HARD = [_zero_rows, _dead_features, _dependent_features, _few_images, _a_class_without_images, _one_image_a_class, _huge_logits,
        _identical_weight_rows, _two_classes, _no_bias]  # fmt: skip


@every_scorer
@pytest.mark.parametrize("hard", HARD, ids=lambda one: one.__name__.strip("_"))
def test_hard_inputs_give_finite_scores(name, hard, toy):
    """Of the images learnt from, and of others with rows of zeros among them; ``score`` itself refuses what is not finite."""
    head, features, labels = hard(toy)
    outputs = toy.probed(Outputs(features, labels, head=head))
    scorer = make_scorer(name).fit(outputs)
    assert len(scorer.score(outputs)) == len(outputs)
    others = toy.probed(Outputs(torch.cat([toy.ood.features, torch.zeros(2, 32)]), head=head))
    assert len(scorer.score(others)) == len(toy.ood) + 2


@every_scorer
def test_features_that_are_nan_give_a_reason_and_no_score(name, toy):
    features = toy.test.features.clone()
    features[3, 2] = torch.nan
    scorer, spoilt = make_scorer(name).fit(toy.train), toy.probed(Outputs(features, head=toy.head))
    with pytest.raises(NotApplicableError, match="NaN or infinite"):
        scorer.score(spoilt)
