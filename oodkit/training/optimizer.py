"""The optimiser of a training, with the weight decay of each kind of weight."""

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from oodkit.training.settings import Settings

MOMENTUM = 0.9  # OpenOOD v1.5's, with Nesterov's rule


def make_optimizer(learner: nn.Module, settings: Settings) -> Optimizer:
    """Stochastic gradient descent with Nesterov momentum, as OpenOOD v1.5 has it, or AdamW, over all that takes gradients.

    With ``norm_weight_decay``, the weights of normalisation layers and all biases have a decay of their own; torchvision's recipes
    spare both so, in ``set_weight_decay`` of references/classification.
    """
    learnt = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    groups = [{"params": learnt, "weight_decay": settings.weight_decay}]
    if settings.norm_weight_decay is not None:
        spared = {id(parameter) for parameter in _scales_and_biases(learner)}
        groups = [
            {"params": [one for one in learnt if id(one) not in spared], "weight_decay": settings.weight_decay},
            {"params": [one for one in learnt if id(one) in spared], "weight_decay": settings.norm_weight_decay},
        ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw":
        return AdamW(groups, lr=settings.lr)
    return SGD(groups, lr=settings.lr, momentum=MOMENTUM, nesterov=True)


def _scales_and_biases(learner: nn.Module) -> list[nn.Parameter]:
    found: list[nn.Parameter] = []
    for module in learner.modules():
        normalises = "Norm" in type(module).__name__  # timm has norm layers of its own, of no common base
        found += [parameter for name, parameter in module.named_parameters(recurse=False) if normalises or name == "bias"]
    return found
