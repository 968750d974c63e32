"""Label smoothing: β of each label is spread over the classes."""

import math

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe

from .toy import given_logits


def test_the_loss_by_hand():
    """Logits (log 3, 0), class 0, β = 0.2: the target is (0.9, 0.1), the loss 0.9 log 4/3 + 0.1 log 4."""
    found = given_logits(make_recipe("label-smoothing", beta=0.2), 2)(
        Batch((torch.tensor([[math.log(3), 0.0]]),), torch.tensor([0]))
    )
    assert found.parts["cross-entropy"].item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))
    assert found.correct.tolist() == [True]


def test_without_smoothing_it_is_v1():
    batch = Batch((torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),), torch.tensor([0, 1, 2, 0, 1]))
    plain, smoothed = (given_logits(recipe, 3)(batch) for recipe in (make_recipe("v1"), make_recipe("label-smoothing", beta=0.0)))
    torch.testing.assert_close(plain.parts["cross-entropy"], smoothed.parts["cross-entropy"])


def test_its_strength_is_among_the_facts_of_the_checkpoint():
    assert make_recipe("label-smoothing").facts() == {"loss": "ce", "label_smoothing": 0.1, "mixup": 0.0, "cutmix": 0.0}


@pytest.mark.parametrize("beta", [-0.1, 1.0])
def test_a_beta_that_leaves_no_label_is_refused(beta):
    with pytest.raises(UsageError, match=f"^recipe label-smoothing needs a beta of at least 0 and below 1, got beta={beta}$"):
        make_recipe("label-smoothing", beta=beta)
