"""What holds for every recipe: one file and one line are enough for the loop, checkpoints and the command line to serve it."""

import json
import pickle
from collections import OrderedDict
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from oodkit.errors import UsageError
from oodkit.images import open_images
from oodkit.models.from_file import JSON_FACTS
from oodkit.recipe_facts import recipe_of
from oodkit.scorers import SCORERS
from oodkit.training.augment import TrainTransform
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner
from oodkit.training.recipes import RECIPES, make_recipe, parse_recipe
from oodkit.training.settings import Settings

CLASSES, SIDE, FEATURES = 4, 16, 6
LABELS = torch.arange(12) % CLASSES
PROGRESS = (0.0, 0.9)  # where a recipe starts something in the middle of training, both before it and after

pytestmark = pytest.mark.parametrize("name", RECIPES)


@pytest.fixture
def pictures(image_folder):
    """What pixmix mixes in, and any other recipe leaves alone."""
    return open_images(str(image_folder()))


def tiny(name):
    """A network of a convolution with batch normalisation and a linear last layer, and the recipe's learner of it."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, FEATURES, 3, 2), nn.BatchNorm2d(FEATURES), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential()
    net.add_module("body", body)
    net.add_module("head", nn.Linear(FEATURES, CLASSES))
    recipe = make_recipe(name)
    recipe.adapt(net, "head", CLASSES)
    return recipe, Learner(net, "head", FEATURES, recipe.modules(CLASSES, FEATURES), recipe.loss)


def batch_for(recipe, pictures, progress=0.0):
    """Twelve images of four colours with noise, three of each, as the recipe shows them; and grey ones that are of none."""
    rng = np.random.default_rng(0)
    colours = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [220, 220, 30]])
    shown = [
        Image.fromarray((colours[label] + rng.integers(-20, 20, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)) for label in LABELS
    ]
    transform = TrainTransform(SIDE, True, (0.5,) * 3, (0.25,) * 3, recipe.views(SIDE, pictures))
    torch.manual_seed(0)
    views = tuple(torch.stack(view) for view in zip(*(transform(image) for image in shown), strict=True))
    outliers = torch.randn(8, 3, SIDE, SIDE) if "outliers" in recipe.needs else None
    return Batch(views, LABELS, outliers, progress)


def found_by(learner, batch, seed=0):
    torch.manual_seed(seed)
    return learner(batch)


def loss_of(learner, batch, seed=0):
    return sum(found_by(learner, batch, seed).parts.values())


@pytest.mark.parametrize("progress", PROGRESS)
def test_two_steps_have_finite_losses_with_named_parts(name, progress, pictures):
    recipe, learner = tiny(name)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.05)
    for step in range(2):
        found = found_by(learner, batch_for(recipe, pictures, progress), step)
        assert found.parts
        assert all(part.shape == () and part.isfinite() for part in found.parts.values())
        assert found.correct is None or found.correct.dtype == torch.bool
        optimizer.zero_grad()
        sum(found.parts.values()).backward()
        optimizer.step()
    assert all(parameter.isfinite().all() for parameter in learner.parameters())


def test_a_step_along_the_gradient_lowers_the_loss_of_the_batch(name, pictures):
    recipe, learner = tiny(name)
    batch = batch_for(recipe, pictures)
    before = loss_of(learner, batch)
    before.backward()
    with torch.no_grad():
        for parameter in learner.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-3 * parameter.grad)
    assert loss_of(learner, batch) < before


@pytest.mark.parametrize("progress", PROGRESS)
def test_every_parameter_gets_a_gradient_unless_the_recipe_says_that_some_do_not(name, progress, pictures):
    """What several processes rely on: they wait for the gradient of each parameter."""
    recipe, learner = tiny(name)
    loss_of(learner, batch_for(recipe, pictures, progress)).backward()
    without = [own for own, parameter in learner.named_parameters() if parameter.requires_grad and parameter.grad is None]
    assert not without or recipe.leaves_unused


@pytest.mark.parametrize("progress", PROGRESS)
def test_a_step_after_a_checkpoint_is_the_step_without_one(name, progress, pictures):
    """All that a recipe remembers is in the learner's state."""
    recipe, learner = tiny(name)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.05)
    batch = batch_for(recipe, pictures, progress)
    for seed in range(3):
        optimizer.zero_grad()
        loss_of(learner, batch, seed).backward()
        optimizer.step()
    _, resumed = tiny(name)
    resumed.load_state_dict(learner.state_dict())
    torch.testing.assert_close(loss_of(resumed, batch, 3), loss_of(learner, batch, 3), rtol=0, atol=0)


def test_what_is_drawn_follows_torch_s_global_generator(name, pictures):
    batch = batch_for(make_recipe(name), pictures)
    losses = [loss_of(tiny(name)[1], batch, 7) for _ in range(2)]
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=0)


@pytest.mark.parametrize("progress", PROGRESS)
def test_half_precision_serves(name, progress, pictures):
    recipe, learner = tiny(name)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(learner, batch_for(recipe, pictures, progress))
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    loss.backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in learner.parameters())


def test_the_finished_network_is_a_plain_one_that_answers_as_the_recipe_predicted(name, pictures):
    recipe, learner = tiny(name)
    batch = batch_for(recipe, pictures)
    loss_of(learner, batch).backward()
    learner.eval()
    with torch.no_grad():
        answers = recipe.predict(learner, batch.images)
        said = recipe.finish(learner.net, "head", learner.extra)
        logits = learner.net(batch.images)
    assert answers.shape == (12,)
    assert logits.shape == (12, CLASSES)
    assert not recipe.trains_head or logits.argmax(1).tolist() == answers.tolist()
    assert all(isinstance(key, str) and isinstance(word, str) for key, word in said.items())


def test_views_and_recipe_go_to_other_processes(name, pictures):
    recipe = make_recipe(name)
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    views = recipe.views(SIDE, pictures)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    shown = []
    for own in (views, pickle.loads(pickle.dumps(views))):
        torch.manual_seed(0)
        shown.append(TrainTransform(SIDE, True, (0.5,) * 3, (0.25,) * 3, own)(image))
    assert len(shown[0]) == len(views) >= 1
    for first, second in zip(*shown, strict=True):
        assert first.shape == (3, SIDE, SIDE)
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_a_spec_is_read_as_it_is_written(name):
    plain = make_recipe(name)
    assert plain.spec() == name
    for one in fields(plain):
        if isinstance(one.default, float):
            other = make_recipe(name, **{one.name: one.default / 2 or 0.05})
            assert parse_recipe(other.spec()) == other != plain
    with pytest.raises(UsageError, match=f"unknown setting of {name}: 'nonsense'"):
        parse_recipe(f"{name}:nonsense=1")


def test_its_facts_fit_a_checkpoint_s_metadata(name):
    facts = make_recipe(name).facts()
    fits, expected = JSON_FACTS["recipe"]
    assert fits(json.loads(json.dumps(facts))), expected
    assert str(recipe_of("x", facts))


COLOURS = nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]))


def loss_of_the_right_answer(name, sureness):
    """The mean of ten losses of a network that names the colour of an image, one a class, without a mistake."""
    net = nn.Sequential(OrderedDict(body=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), head=nn.Linear(3, CLASSES)))
    recipe = make_recipe(name)
    recipe.adapt(net, "head", CLASSES)
    with torch.no_grad():
        for parameter, answer in ((net.head.weight, COLOURS), (net.head.bias, torch.full((CLASSES,), -0.8))):
            parameter.zero_()[:CLASSES] = sureness * answer
    torch.manual_seed(0)
    learner = Learner(net, "head", 3, recipe.modules(CLASSES, 3), recipe.loss)
    images = COLOURS[LABELS][:, :, None, None].repeat(1, 1, SIDE, SIDE)
    batch = Batch((images,) * len(recipe.views(SIDE, [])), LABELS, torch.zeros(8, 3, SIDE, SIDE))
    return np.mean([loss_of(learner, batch, seed).item() for seed in range(10)])


def test_its_facts_name_what_softens_labels_and_nothing_else(name):
    """Where labels are soft, and only there, a right answer can be too sure for the loss: soft ones alone, or beside plain ones."""
    softens = loss_of_the_right_answer(name, 1000) > loss_of_the_right_answer(name, 100) + 0.01
    recipe = recipe_of("x", make_recipe(name).facts())
    assert softens == bool(recipe.softeners or recipe.loss == "ce+mixup")


def test_what_it_says_of_itself_is_true(name):
    recipe = RECIPES[name]
    assert is_dataclass(recipe)
    assert recipe.title
    assert recipe.paper
    assert set(recipe.scored_by) <= set(SCORERS)
    assert recipe.scored_by
    Settings(**recipe.trained_with)
    assert recipe.__doc__ is not None
    assert recipe.__doc__.startswith("L ="), "the formula comes first"
    for one in fields(recipe):
        assert one.name in recipe.__doc__, f"its setting {one.name} is not explained"
