import math
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from timm.loss import JsdCrossEntropy

from oodkit.errors import UsageError
from oodkit.training.augment import TrainTransform, seed_generators
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe
from oodkit.training.recipes.augmix import jensen_shannon

from .toy import given_logits

NORMAL = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def _logits(scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_the_divergence_by_hand() -> None:
    """Of (1/2, 1/2), (1/4, 3/4) and (3/4, 1/4), whose mean is the first: two thirds of KL((1/4, 3/4) ‖ (1/2, 1/2))."""
    logits = torch.tensor([[[1.0, 1.0]], [[0.0, math.log(3)]], [[math.log(3), 0.0]]])
    expected = 2 / 3 * (math.log(0.5) / 4 + 3 * math.log(1.5) / 4)
    assert jensen_shannon(logits).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_timms_without_its_label_smoothing() -> None:
    labels = _logits()[0].argmax(1)
    labels[0] = (labels[0] + 1) % 5
    found = given_logits(make_recipe("augmix"), 5)(Batch(tuple(_logits()), labels))
    total = torch.stack(list(found.parts.values())).sum()
    torch.testing.assert_close(total, JsdCrossEntropy(smoothing=0)(_logits().flatten(0, 1), labels))
    assert (total - JsdCrossEntropy()(_logits().flatten(0, 1), labels)).abs() > 0.01
    assert found.correct is not None
    assert found.correct.tolist() == [False, True, True, True]


def test_its_gradient_is_finite_where_a_probability_is_zero() -> None:
    """Where timm's, and so the authors', is not: that of p log p at p = 0."""
    logits = torch.tensor([[[200.0, 0.0, -200.0]], [[0.0, 200.0, -200.0]], [[0.0, 0.0, 0.0]]], requires_grad=True)
    (slope,) = torch.autograd.grad(jensen_shannon(logits), logits)
    (of_timm,) = torch.autograd.grad(JsdCrossEntropy(smoothing=0)(logits.flatten(0, 1), torch.tensor([0])), logits)
    assert slope.isfinite().all()
    assert of_timm.isnan().any()


def test_without_the_divergence_one_augmented_view_is_learned_from() -> None:
    recipe = make_recipe("augmix", jsd=0)
    (view,) = recipe.views(32)
    assert len(view.on_image) == 1
    found = given_logits(recipe, 5)(Batch((_logits()[0],), torch.tensor([0, 1, 2, 3])))
    assert list(found.parts) == ["cross-entropy"]
    assert recipe.facts()["loss"] == "ce"


def test_the_first_view_is_the_image_and_the_others_differ_from_it_and_from_each_other() -> None:
    transform = TrainTransform(32, False, *NORMAL, views=make_recipe("augmix").views(32))
    plain = TrainTransform(32, False, *NORMAL)
    seed_generators(3)
    image, first, second = transform(IMAGE)
    seed_generators(3)
    torch.testing.assert_close(image, plain(IMAGE)[0], rtol=0, atol=0)
    assert not first.equal(image)
    assert not first.equal(second)


def test_views_are_the_same_under_a_seed_also_after_pickling() -> None:
    transform = TrainTransform(32, True, *NORMAL, views=make_recipe("augmix").views(32))
    found = []
    for one in (transform, pickle.loads(pickle.dumps(transform))):
        seed_generators(5)
        found.append(torch.stack(one(IMAGE)))
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize(("side", "given", "severity"), [(32, None, 3), (64, None, 3), (224, None, 1), (224, 5, 5)])
def test_small_images_are_augmented_more_strongly(side: int, given: int | None, severity: int) -> None:
    views = make_recipe("augmix", severity=given).views(side)
    assert [view.on_image[0].severity for view in views[1:]] == [severity, severity]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [({"jsd": -1}, "a jsd of 0 or more"), ({"severity": 11}, "a severity from 1 to 10"), ({"width": 0}, "a width of 1 or more"),
     ({"alpha": 0}, "an alpha above 0")],
)  # fmt: skip
def test_impossible_settings_are_refused(setting: dict[str, float], expected: str) -> None:
    with pytest.raises(UsageError, match=f"^recipe augmix needs {expected}, got jsd="):
        make_recipe("augmix", **setting)
