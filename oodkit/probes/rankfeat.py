"""RankFeat's logits of feature maps without their first rank."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.errors import UnsupportedModelError
from oodkit.probes.base import Probe

# The stages of ResNets and their kin, of timm's ConvNeXt and ResNetV2, of timm's and of torchvision's RegNet.
STAGES = (r"layer(\d+)", r"stages\.(\d+)", r"s(\d+)", r"trunk_output\.block(\d+)")


@dataclass(frozen=True)
class RankFeatProbe(Probe):
    """(n, C) float32: the mean of the logits without the first rank of the last stage's map, and without that of the one before.

    Song, Sebe and Wang, NeurIPS 2022, arXiv 2209.08590. Of each map X (C', H·W) of an image σ₁u₁v₁ᵀ is taken away, its largest
    singular value with both vectors, and the rest of the network runs on what is left: blocks 4 and 3 of a ResNet.
    """

    name = "rankfeat"
    finds = "logits"

    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        """One pass: from the next to last stage on, each image goes on twice, as it was and without that stage's first rank."""
        before, last = _last_stages(model.net)

        def doubled(_layer: nn.Module, _inputs: object, maps: object) -> Tensor:
            whole = _checked(maps, "the next to last stage", pixels)
            return torch.cat([whole, without_first_rank(whole)])

        def reduced(_layer: nn.Module, _inputs: object, maps: object) -> Tensor:
            whole, reduced_before = _checked(maps, "the last stage", pixels).chunk(2)
            return torch.cat([without_first_rank(whole), reduced_before])

        with torch.no_grad(), ExitStack() as hooks:
            hooks.callback(before.register_forward_hook(doubled).remove)
            hooks.callback(last.register_forward_hook(reduced).remove)
            logits: Tensor = model.net(pixels)
        return (logits[: len(pixels)].float() + logits[len(pixels) :].float()) / 2


def without_first_rank(maps: Tensor) -> Tensor:
    """(n, C', H, W) maps less σ₁u₁v₁ᵀ of each as a (C', H·W) matrix X, in their dtype.

    σ₁u₁v₁ᵀ = X v₁v₁ᵀ, and v₁ is an eigenvector of XᵀX, or u₁ one of XXᵀ: of the smaller of both, a small part of an SVD's work.
    """
    with torch.autocast(maps.device.type, enabled=False):
        matrices = maps.flatten(2).float()
        tall = matrices if matrices.shape[1] >= matrices.shape[2] else matrices.mT
        _, vectors = torch.linalg.eigh(tall.mT @ tall)
        first = vectors[:, :, -1:]
        left = tall - tall @ first @ first.mT
        reduced: Tensor = left if tall is matrices else left.mT
        return reduced.reshape(maps.shape).to(maps.dtype)


def _last_stages(net: nn.Module) -> tuple[nn.Module, nn.Module]:
    """By their numbers, in the network itself or in one part of it, such as the backbone of a network of the user's own."""
    for pattern in STAGES:
        by_part: dict[str, dict[int, nn.Module]] = {}
        for name, module in net.named_modules():
            if match := re.fullmatch(rf"(\w+\.)?{pattern}", name):
                by_part.setdefault(match[1], {})[int(match[2])] = module
        for stages in by_part.values():
            if len(stages) > 1:
                *_, before, last = sorted(stages)
                return stages[before], stages[last]
    kinds = "layer3 and layer4 as a ResNet's, or stages as a ConvNeXt's or RegNet's"
    raise UnsupportedModelError(f"it takes the maps of the last two stages, and this network has no {kinds}")


def _checked(maps: object, what: str, pixels: Tensor) -> Tensor:
    """The stage's maps. Channels last, or positions in a row as in a transformer, would be read as something else."""
    spatial = isinstance(maps, Tensor) and maps.ndim == 4 and _shrunk(maps.shape[2:], pixels.shape[2:])
    if not isinstance(maps, Tensor) or not spatial:
        got = f"{tuple(maps.shape)}" if isinstance(maps, Tensor) else f"a {type(maps).__name__}"
        raise UnsupportedModelError(f"{what} gives {got}, expected maps (n, channels, height, width)")
    if maps.shape[2] * maps.shape[3] < 2:
        raise UnsupportedModelError(f"{what} gives maps of 1 × 1, of which nothing is left without the first rank")
    return maps


def _shrunk(sides: Sequence[int], full: Sequence[int]) -> bool:
    return all(2 * side <= whole for side, whole in zip(sides, full, strict=True))
