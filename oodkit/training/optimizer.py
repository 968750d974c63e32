"""The optimiser of a training, with the weight decay of each kind of weight."""

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from oodkit.training.settings import Settings

MOMENTUM = 0.9  # OpenOOD v1.5's, with Nesterov's rule


def make_optimizer(learner: nn.Module, settings: Settings) -> Optimizer:
    """Stochastic gradient descent with Nesterov momentum, as OpenOOD v1.5 has it, or AdamW, over all that takes gradients.

    With ``norm_weight_decay`` normalisation layers and all biases have a decay of their own. torchvision's second recipe has one of
    0 for normalisation layers (set_weight_decay of references/classification), and lets the other biases decay.
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
        own = dict(module.named_parameters(recurse=False))
        found += own.values() if _normalises(module) else [own["bias"]] if own.get("bias") is not None else []
    return found


def _normalises(module: nn.Module) -> bool:
    """By their base, or by name: timm has some of no common base, such as RmsNorm, and networks whose names hold the word."""
    known = isinstance(module, nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm)  # noqa: SLF001 (their common base)
    return known or ("norm" in type(module).__name__.lower() and not list(module.children()))
