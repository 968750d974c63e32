"""A network small enough that every number of a loss can be done by hand."""

import torch
from torch import nn

from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe


def toy_learner(recipe: Recipe, classes: int = 3, side: int = 2) -> Learner:
    """Pixels, laid out in a row, are the features, which one linear layer reads."""
    torch.manual_seed(0)
    features = 3 * side * side
    net = nn.Sequential(nn.Flatten(), nn.Linear(features, classes))
    recipe.adapt(net, "1", classes)
    return Learner(net, "1", features, recipe.modules(classes, features), recipe.loss)


def given_logits(recipe: Recipe, classes: int) -> Learner:
    """A network that gives its input back: what is put in as images (n, C) are the logits."""
    net = nn.Sequential(nn.Identity(), nn.Linear(classes, classes, bias=False))
    net[1].weight.data = torch.eye(classes)
    return Learner(net, "1", classes, recipe.modules(classes, classes), recipe.loss)
