"""RegMixup: mixup is added to plain cross-entropy, in one pass."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from oodkit.recipe_facts import recipe_of
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner
from oodkit.training.recipes import make_recipe, pairs

from .toy import toy_learner

IMAGES = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_sum_of_two_means(seed):
    learner = toy_learner(make_recipe("regmixup"))
    torch.manual_seed(seed)
    found = learner(Batch((IMAGES,), LABELS))
    torch.manual_seed(seed)
    mixed = pairs.mixup(IMAGES, LABELS, 10.0)
    plain = learner.logits(IMAGES)
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(plain, LABELS))
    torch.testing.assert_close(found.parts["mixup"], mixed.cross_entropy(learner.logits(mixed.images)))
    assert found.correct.tolist() == (plain.argmax(1) == LABELS).tolist()


def test_it_is_twice_the_mean_over_both_halves_that_the_authors_code_has():
    """λ · CE of all 2 B against (y, y) and (1 − λ) against (y, y′): for the plain half λ and 1 − λ add up to 1."""
    learner = toy_learner(make_recipe("regmixup"))
    torch.manual_seed(5)
    found = learner(Batch((IMAGES,), LABELS))
    torch.manual_seed(5)
    mixed = pairs.mixup(IMAGES, LABELS, 10.0)
    logits = learner.logits(torch.cat([IMAGES, mixed.images]))
    share, first, second = mixed.share, torch.cat([LABELS, LABELS]), torch.cat([LABELS, LABELS.roll(1)])
    authors = share * cross_entropy(logits, first) + (1 - share) * cross_entropy(logits, second)
    torch.testing.assert_close(sum(found.parts.values()), 2 * authors)


@pytest.mark.parametrize("name", ["regmixup", "augrevise"])
def test_what_is_mixed_beside_plain_images_is_told_and_named_as_no_cause_of_impaired_logits(name):
    recipe = recipe_of("local-dir:run", {**make_recipe(name).facts(), "name": name})
    told = "cross-entropy of plain images, and of mixed ones beside them, no label smoothing or cutmix"
    assert str(recipe) == f"{told} (stated: recipe {name} of oodkit)"
    assert recipe.softeners == ()


@pytest.mark.parametrize(("name", "views"), [("regmixup", 1), ("augrevise", 2)])
def test_both_halves_are_normalised_together(name, views):
    """With batch normalisation over 2 B = 8 images its count of batches rises by one a step, not by two."""
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 3))
    recipe = make_recipe(name)
    Learner(net, "2", 12, recipe.modules(3, 12), recipe.loss)(Batch((IMAGES,) * views, LABELS))
    assert net[1].num_batches_tracked == 1
