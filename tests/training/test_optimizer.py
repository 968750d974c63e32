"""Which weights decay how much, and by which rule they move."""

import torch
from timm.layers import BatchNormAct2d, LayerNorm2d, RmsNorm
from torch import nn

from oodkit.training.optimizer import make_optimizer
from oodkit.training.settings import Settings


class Norms(nn.Module):
    """A weight, a bias and a scale of each kind; two weights tied; one frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.batch, self.layer, self.rms = nn.Conv2d(3, 4, 1), BatchNormAct2d(4), LayerNorm2d(4), RmsNorm(4)
        self.head, self.tied, self.frozen = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.tied.weight = self.head.weight
        self.token = nn.Parameter(torch.zeros(1, 4))
        self.frozen.requires_grad_(False)


def names(learner, group):
    known = {id(parameter): name for name, parameter in learner.named_parameters()}
    return {known[id(parameter)] for parameter in group["params"]}


def test_without_a_decay_of_their_own_all_weights_decay_alike():
    learner = Norms()
    (group,) = make_optimizer(learner, Settings(weight_decay=5e-4)).param_groups
    assert group["weight_decay"] == 5e-4
    assert names(learner, group) == {name for name, _ in learner.named_parameters()} - {"frozen.weight"}


def test_scales_and_biases_can_have_a_decay_of_their_own():
    learner = Norms()
    decaying, spared = make_optimizer(learner, Settings(weight_decay=2e-5, norm_weight_decay=0.0)).param_groups
    assert (decaying["weight_decay"], spared["weight_decay"]) == (2e-5, 0.0)
    assert names(learner, decaying) == {"conv.weight", "head.weight", "token"}
    assert names(learner, spared) == {
        "conv.bias", "head.bias", "tied.bias", "batch.weight", "batch.bias", "layer.weight", "layer.bias", "rms.weight",
    }  # fmt: skip


def test_the_rules_are_nesterov_momentum_and_adamw():
    sgd = make_optimizer(Norms(), Settings(lr=0.3))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"], sgd.defaults["lr"]) == (0.9, True, 0.3)
    adamw = make_optimizer(Norms(), Settings(lr=0.001, optimizer="adamw", weight_decay=0.05))
    assert isinstance(adamw, torch.optim.AdamW)
    assert (adamw.defaults["betas"], adamw.param_groups[0]["weight_decay"]) == ((0.9, 0.999), 0.05)
