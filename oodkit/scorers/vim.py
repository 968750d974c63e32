"""Virtual-logit matching."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import eigenpairs_of_few, moments, whitening

NOTHING_LEFT = 1e-7  # the square root of float64's precision: a residual this small beside the features is rounding


@dataclass
class Vim(Scorer):
    """lse(z) − a · ‖Rᵀ(f − u)‖: the energy less a virtual logit, the length of f outside the ID images' principal space.

    Wang, Li, Feng and Zhang, CVPR 2022, arXiv 2203.10807; haoqiwang/vim, benchmark.py. u = −W⁺b; R all eigenvectors of
    mean (f − u)(f − u)ᵀ but the ``dim`` largest; a scales the virtual logit to the mean maximal logit of the training images.
    dim: 0 < dim < D; None takes OpenOOD's 256, or D // 2 where 256 ≥ D; ``"paper"`` takes 1000 for D ≥ 2048, 512 for D ≥ 768,
    else D // 2.

    Fails on near-OOD. Needs more training images than ``dim``: with fewer nothing lies outside their space.
    """

    name = "vim"
    title = "Virtual-logit matching"
    paper = "arXiv:2203.10807"
    uses = "both"
    presets: ClassVar = {"paper": {"dim": "paper"}}
    fits_on = "train"

    dim: int | Literal["paper"] | None = None

    def __post_init__(self) -> None:
        self.require(not isinstance(self.dim, int) or self.dim > 0, 'dim above 0, "paper" or none')

    def _fit(self, outputs: Outputs) -> State:
        head, width = self.head_of(outputs), outputs.num_features
        dim = _dim(self.dim, width)
        if dim >= width:
            raise NotApplicableError(f"vim takes a dim below the {width} features of this network, got {dim}")
        origin = _origin(head.to(outputs.device))
        state = {"origin": origin, "principal": _principal(outputs, origin, dim), "dim": torch.tensor(dim)}
        return {**state, "scale": _scale(outputs, state)}

    def _score(self, chunk: Outputs) -> Tensor:
        residual, _ = _lengths(chunk.features, self.learnt("origin", chunk.features), self.learnt("principal", chunk.features))
        return chunk.logits.double().logsumexp(1) - self.learnt("scale", residual) * residual


def _dim(dim: int | Literal["paper"] | None, width: int) -> int:
    if dim is None:
        return 256 if width > 256 else width // 2
    if dim == "paper":
        return 1000 if width >= 2048 else 512 if width >= 768 else width // 2
    return dim


def _origin(head: Head) -> Tensor:
    """(D,) −W⁺b, the shortest feature whose logits are all zero; through W Wᵀ, whose pseudo-inverse is much cheaper than W's."""
    weight = head.weight.double()
    factor = whitening(weight @ weight.mT)
    return -weight.mT @ (factor @ (factor.mT @ head.bias.double()))


def _principal(outputs: Outputs, origin: Tensor, dim: int) -> Tensor:
    """(D, dim) the leading eigenvectors of the second moment about the origin; fewer where the images span fewer."""
    if len(outputs) < outputs.num_features:
        rows = torch.cat([chunk.features.double() for chunk in outputs.chunks()]) - origin
        vectors = eigenpairs_of_few(rows)[1]
    else:
        vectors = torch.linalg.eigh(moments(outputs).about(origin)).eigenvectors
    return vectors[:, -dim:].contiguous()


def _lengths(features: Tensor, origin: Tensor, principal: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) lengths of f − u outside the principal space, and altogether.

    ‖Rᵀv‖² = ‖v‖² − ‖Qᵀv‖² spares the wide R; the difference is good to 1e-8 of ‖v‖.
    """
    shifted = features.double() - origin
    whole = shifted.square().sum(1)
    return (whole - (shifted @ principal).square().sum(1)).clamp(min=0).sqrt(), whole.sqrt()


def _scale(outputs: Outputs, state: State) -> Tensor:
    """The factor a: the sum of the training images' maximal logits over the sum of their residual lengths."""
    logits = residuals = wholes = torch.zeros((), dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks():
        residual, whole = _lengths(chunk.features, state["origin"], state["principal"])
        logits, residuals, wholes = logits + chunk.logits.double().amax(1).sum(), residuals + residual.sum(), wholes + whole.sum()
    if residuals <= NOTHING_LEFT * wholes:
        raise NotApplicableError(f"vim finds nothing of the training features outside {int(state['dim'])} dimensions; "
                                 "give more training images or a smaller dim")  # fmt: skip
    return logits / residuals
