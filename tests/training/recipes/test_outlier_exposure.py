import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner
from oodkit.training.recipes import make_recipe
from oodkit.training.settings import Settings

from .toy import given_logits

KNOWN, LABELS = torch.tensor([[0.0, 0.0]]), torch.tensor([0])


def test_the_loss_by_hand() -> None:
    """Of the image log 2; of an outlier (0, log 3), whose softmax is (1/4, 3/4), −(log 1/4 + log 3/4) / 2, half of which counts."""
    found = given_logits(make_recipe("outlier-exposure"), 2)(Batch((KNOWN,), LABELS, torch.tensor([[0.0, math.log(3)]])))
    assert found.parts["cross-entropy"].item() == pytest.approx(math.log(2))
    assert found.parts["outliers"].item() == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 4)
    assert found.correct is not None
    assert found.correct.tolist() == [True]


def test_outliers_are_held_to_the_uniform_distribution() -> None:
    """The same as PyTorch's cross-entropy with soft labels, of 1/C each."""
    outliers = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    found = given_logits(make_recipe("outlier-exposure", weight=2.0), 2)(Batch((KNOWN,), LABELS, outliers))
    torch.testing.assert_close(found.parts["outliers"], 2 * cross_entropy(outliers, torch.full((6, 2), 0.5)))


def test_images_and_outliers_are_one_batch_to_the_network() -> None:
    seen: list[int] = []
    net = nn.Sequential(nn.Identity(), nn.Linear(2, 2))
    net.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    recipe = make_recipe("outlier-exposure")
    Learner(net, "1", 2, nn.Module(), recipe.loss)(Batch((torch.zeros(3, 2),), torch.tensor([0, 1, 0]), torch.zeros(5, 2)))
    assert seen == [8]


def test_a_batch_without_outliers_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"^recipe outlier-exposure needs outliers, .*; name their images with --outliers SET$"):
        given_logits(make_recipe("outlier-exposure"), 2)(Batch((KNOWN,), LABELS))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^recipe outlier-exposure needs a weight of 0 or more, got weight=-0.5$"):
        make_recipe("outlier-exposure", weight=-0.5)


def test_no_outliers_a_step_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^outlier_batch must be 1 or more, got 0$"):
        Settings(outlier_batch=0)
