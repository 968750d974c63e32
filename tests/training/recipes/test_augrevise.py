"""AugRevise: equations 12 to 14 of Xiong et al., ICCV 2025, and what Algorithm 2 feeds them with."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torchvision.transforms import v2

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe, pairs
from oodkit.training.recipes.augrevise import virtual_separation
from oodkit.training.recipes.base import View
from oodkit.training.settings import Settings

from .toy import toy_learner

LABELS = torch.tensor([0, 1, 2, 1])


def image(seed):
    return torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def test_equation_13_by_hand():
    """v = (log 3, 0), v_mix = (0, 0), λ = 0.25.

    Σ e^v = 3 + 1 = 4 and Σ e^v_mix = 2, so P_v = 2 / (4 + 2) = 1/3. m = max(0.25, 0.75) = 3/4, so P_λ = 0.75 / 1.75 = 3/7.
    L_vs = −(4/7) log(2/3) − (3/7) log(1/3) = 0.571429 · 0.405465 + 0.428571 · 1.098612 = 0.231694 + 0.470834 = 0.702528.
    """
    loss = virtual_separation(torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2), 0.25)
    assert loss.item() == pytest.approx(-4 / 7 * math.log(2 / 3) - 3 / 7 * math.log(1 / 3))
    assert loss.item() == pytest.approx(0.702528, abs=1e-6)


def test_equation_13_as_it_is_printed():
    generator = torch.Generator().manual_seed(0)
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        plain, mixed = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
        of_mixed = mixed.exp().sum(1) / (plain.exp().sum(1) + mixed.exp().sum(1))
        wanted = max(share, 1 - share) / (max(share, 1 - share) + 1)
        printed = -(1 - wanted) * (1 - of_mixed).log() - wanted * of_mixed.log()
        torch.testing.assert_close(virtual_separation(plain, mixed, share), printed.mean())


def test_the_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    logits = [torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda plain, mixed: virtual_separation(plain, mixed, 0.3), logits)


def test_the_gradient_in_closed_form():
    """∂L/∂v_mix = (P_v − P_λ) softmax(v_mix) / B and ∂L/∂v = −(P_v − P_λ) softmax(v) / B."""
    generator = torch.Generator().manual_seed(2)
    plain, mixed = (torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    slopes = torch.autograd.grad(virtual_separation(plain, mixed, 0.6), (plain, mixed))
    off = torch.sigmoid(mixed.logsumexp(1) - plain.logsumexp(1)) - 0.6 / 1.6
    torch.testing.assert_close(slopes[0], -off[:, None] * plain.softmax(1) / 3)
    torch.testing.assert_close(slopes[1], off[:, None] * mixed.softmax(1) / 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_its_least_is_where_the_log_sum_exps_differ_by_log_m(share):
    """lse(v_mix) − lse(v) = log m: there the gradient is 0, and a step to either side costs."""
    wanted = math.log(max(share, 1 - share))
    plain = torch.randn(1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def at(difference):
        mixed = torch.zeros(1, 5, dtype=torch.float64) + plain.logsumexp(1) - math.log(5) + difference
        mixed.requires_grad_()
        loss = virtual_separation(plain, mixed, share)
        return loss.item(), torch.autograd.grad(loss, mixed)[0]

    least, slope = at(wanted)
    assert slope.abs().max() < 1e-12
    assert least < min(at(wanted - 0.1)[0], at(wanted + 0.1)[0])


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_logits_stay_finite(size):
    """The log-sum-exps differ by ±2e4, where P_v as it is printed is 0/0 or ∞/∞; the loss is 2e4 (1 − P_λ) or 2e4 P_λ."""
    plain = torch.full((2, 3), -size, requires_grad=True)
    mixed = torch.full((2, 3), size, requires_grad=True)
    loss = virtual_separation(plain, mixed, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(2e4 * (2 / 3 if size > 0 else 1 / 3))  # P_λ = 0.5 / 1.5 = 1/3
    assert plain.grad.isfinite().all()
    assert mixed.grad.isfinite().all()


@pytest.mark.parametrize("seed", range(3))
def test_equation_14_is_the_sum_of_three_and_mixes_the_images_that_are_not_augmented(seed):
    augmented, plain = image(0), image(1)
    learner = toy_learner(make_recipe("augrevise"))
    torch.manual_seed(seed)
    found = learner(Batch((augmented, plain), LABELS))
    torch.manual_seed(seed)
    mixed = pairs.mixup(plain, LABELS, 10.0)
    logits, of_mixed = learner.logits(augmented), learner.logits(mixed.images)
    assert list(found.parts) == ["cross-entropy", "mixup", "separation"]
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits, LABELS))
    torch.testing.assert_close(found.parts["mixup"], mixed.cross_entropy(of_mixed))
    torch.testing.assert_close(found.parts["separation"], virtual_separation(logits, of_mixed, mixed.share))
    assert found.correct.tolist() == (logits.argmax(1) == LABELS).tolist()


def test_the_first_view_is_augmented_and_the_second_is_not():
    augmented, plain = make_recipe("augrevise").views(32)
    (augment,), (erase,) = augmented.on_image, augmented.on_tensor
    assert isinstance(augment, v2.TrivialAugmentWide)
    assert isinstance(erase, v2.RandomErasing)
    assert erase.p == 0.1
    assert plain == View()


def test_the_last_layer_is_refitted_afterwards_and_no_label_is_smoothed():
    recipe = make_recipe("augrevise")
    assert Settings(**recipe.trained_with).augdelete
    assert recipe.facts() == {"loss": "ce+mixup", "label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0}


def test_settings_out_of_range_are_refused():
    with pytest.raises(UsageError, match=r"^recipe augrevise needs an alpha above 0, got alpha=-1.0, p=0.1$"):
        make_recipe("augrevise", alpha=-1)
    with pytest.raises(UsageError, match="recipe augrevise needs a p from 0 to 1, got alpha="):
        make_recipe("augrevise", p=1.1)
