"""Virtual-logit matching."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.scorers.common.subspace import lengths, origin, principal, resolved


@dataclass
class Vim(Scorer):
    """lse(z) − a · ‖Rᵀ(f − u)‖: the energy less a virtual logit, the length of f outside the ID images' principal space.

    Wang, Li, Feng and Zhang, CVPR 2022, arXiv 2203.10807; haoqiwang/vim, benchmark.py. u = −W⁺b; R all eigenvectors of
    mean (f − u)(f − u)ᵀ but the ``dim`` largest; a scales the virtual logit to the mean maximal logit of the training images.
    dim: 0 < dim < D; None takes OpenOOD's 256, or D // 2 where 256 ≥ D; ``"paper"`` takes 1000 for D ≥ 2048, 512 for D ≥ 768,
    else D // 2.

    OpenOOD's search tries a dim of 1000 on 512 features too, which gives it NaN; a dim of D or more is a reason not to score here.
    Fails on near-OOD. Needs more training images than ``dim``: with fewer nothing lies outside their space.
    """

    name = "vim"
    title = "Virtual-logit matching"
    paper = "arXiv:2203.10807"
    uses = "both"
    presets: ClassVar = {"paper": {"dim": "paper"}}
    grid: ClassVar = {"dim": (256, 1000)}
    fits_on = "train"

    dim: int | Literal["paper"] | None = None

    def __post_init__(self) -> None:
        self.require(not isinstance(self.dim, int) or self.dim > 0, 'dim above 0, "paper" or none')

    def _fit(self, outputs: Outputs) -> State:
        self.head_of(outputs)
        dim = resolved(self.name, self.dim, outputs.num_features, default=256)
        state = {"origin": origin(outputs), "principal": principal(self.name, outputs, dim), "dim": torch.tensor(dim)}
        return {**state, "scale": _scale(outputs, state)}

    def _score(self, chunk: Outputs) -> Tensor:
        residual = lengths(chunk.features, self.learnt("origin", chunk.features), self.learnt("principal", chunk.features))
        return chunk.logits.double().logsumexp(1) - self.learnt("scale", residual) * residual


def _scale(outputs: Outputs, state: State) -> Tensor:
    """The factor a: the sum of the training images' maximal logits over the sum of their residual lengths."""
    logits = residuals = torch.zeros((), dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks():
        logits = logits + chunk.logits.amax(1).double().sum()
        residuals = residuals + lengths(chunk.features, state["origin"], state["principal"]).sum()
    return logits / residuals
