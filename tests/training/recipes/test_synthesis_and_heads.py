"""What vos, godin, mos and npos share: they need a linear last layer, and start something in the middle of training."""

import pytest
import torch
from torch import nn

from oodkit.errors import UnsupportedModelError
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner
from oodkit.training.recipes import make_recipe

FEATURES = 8
QUEUED = {"sample_number": 2, "sample_from": 20, "start": 0.5}
SETTINGS = {
    "vos": QUEUED,
    "godin": {},
    "mos": {},
    "npos": {**QUEUED, "k": 2, "select": 2, "picks": 2, "keep": 3, "width": 5},
}
STARTED = {"vos": "uncertainty", "npos": "outliers"}

pytestmark = pytest.mark.parametrize("name", SETTINGS)


def learner_of(name, classes):
    torch.manual_seed(0)
    recipe = make_recipe(name, **SETTINGS[name])
    body = nn.Sequential(nn.Flatten(), nn.Linear(12, FEATURES), nn.ReLU())
    net = nn.Sequential(body, nn.Linear(FEATURES, classes))
    recipe.adapt(net, "1", classes)
    return recipe, Learner(net, "1", FEATURES, recipe.modules(classes, FEATURES), recipe.loss)


def batch_of(recipe, labels, progress, seed=0):
    generator = torch.Generator().manual_seed(seed)
    views = tuple(torch.randn(len(labels), 3, 2, 2, generator=generator) for _ in recipe.views(32))
    return Batch(views, labels, progress=progress)


def trained(name, learner, recipe, labels, steps):
    optimizer = torch.optim.SGD([one for one in learner.parameters() if one.requires_grad], lr=0.05, momentum=0.9)
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        found = learner(batch_of(recipe, labels, 0.9 if step else 0.0, step))
        sum(found.parts.values()).backward()
        optimizer.step()
    return found


@pytest.mark.parametrize("classes", [2, 4, 1000])
@pytest.mark.parametrize("half", [False, True])
def test_any_number_of_classes_and_half_precision_serve(name, classes, half):
    recipe, learner = learner_of(name, classes)
    labels = torch.arange(classes).repeat(max(2, 16 // classes))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = trained(name, learner, recipe, labels, 2)
        answers = recipe.predict(learner.eval(), batch_of(recipe, labels, 0.0).images)
    assert all(part.dtype == torch.float32 and part.isfinite() for part in found.parts.values())
    assert name not in STARTED or found.parts[STARTED[name]] > 0
    assert answers.shape == labels.shape
    assert answers.max() < classes
    assert all(parameter.isfinite().all() for parameter in learner.parameters())


def test_a_batch_without_some_class_serves(name):
    recipe, learner = learner_of(name, 4)
    trained(name, learner, recipe, torch.arange(4).repeat(4), 1)
    found = learner(batch_of(recipe, torch.tensor([1, 1, 3, 1]), 0.9))
    assert all(part.isfinite() for part in found.parts.values())
    assert name not in STARTED or found.parts[STARTED[name]] > 0


def test_a_training_that_goes_on_is_the_one_that_was_stopped(name):
    """With its queues full and its outliers among the loss; bit for bit."""
    labels = torch.arange(4).repeat(4)
    recipe, learner = learner_of(name, 4)
    trained(name, learner, recipe, labels, 4)
    _, resumed = learner_of(name, 4)
    resumed.load_state_dict(learner.state_dict())
    finals = [trained(name, one, recipe, labels, 3) for one in (learner, resumed)]
    assert name not in STARTED or finals[0].parts[STARTED[name]] > 0
    for own, other in zip(learner.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(own, other)


def test_images_go_through_the_network_once_a_step(name):
    recipe, learner = learner_of(name, 4)
    labels = torch.arange(4).repeat(4)
    trained(name, learner, recipe, labels, 1)
    passes = []
    learner.net[0].register_forward_hook(lambda *_: passes.append(1))
    learner(batch_of(recipe, labels, 0.9))
    assert len(passes) == 1


def test_a_network_that_ends_in_something_else_is_refused(name):
    recipe = make_recipe(name, **SETTINGS[name])
    net = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Flatten())

    def train():
        recipe.adapt(net, "0", 4)
        Learner(net, "0", 3, recipe.modules(4, 3), recipe.loss)(batch_of(recipe, torch.arange(4), 0.0))

    with pytest.raises(
        UnsupportedModelError, match=r"needs a network that ends in one linear layer; this one ends in 0, a Conv2d$"
    ):
        train()
