"""Length of the feature outside the principal space: ViM's virtual logit alone."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.scorers.common.subspace import lengths, origin, principal, resolved


@dataclass
class Residual(Scorer):
    """−‖Rᵀ(f − u)‖, the length of f outside the ID images' principal space; at most 0.

    Wang, Li, Feng and Zhang, CVPR 2022, arXiv 2203.10807, the feature term of ``vim``; haoqiwang/vim, benchmark.py. u = −W⁺b; R all
    eigenvectors of mean (f − u)(f − u)ᵀ but the ``dim`` largest. The logits of the images scored are of no account.
    dim: 0 < dim < D; None takes OpenOOD's 512, or D // 2 where 512 ≥ D; ``"paper"`` takes 1000 for D ≥ 2048, 512 for D ≥ 768,
    else D // 2. fits_on: ``openood`` takes the ID validation images, ``paper`` the training images.

    OpenOOD v1.5 can't load its own: residual.yml lacks the key APS_mode. Its dim of 512 leaves nothing where D is 512. Fails on
    near-OOD, and where OOD images have short features, which leave little outside any space. Needs more images than ``dim``.
    """

    name = "residual"
    title = "Residual of ViM"
    paper = "arXiv:2203.10807"
    uses = "both"
    presets: ClassVar = {"paper": {"dim": "paper", "fits_on": "train"}}

    dim: int | Literal["paper"] | None = None
    fits_on: Literal["train", "val"] = "val"

    def __post_init__(self) -> None:
        self.require(not isinstance(self.dim, int) or self.dim > 0, 'dim above 0, "paper" or none')

    def _fit(self, outputs: Outputs) -> State:
        self.head_of(outputs)
        dim = resolved(self.name, self.dim, outputs.num_features, default=512)
        return {"origin": origin(outputs), "principal": principal(self.name, outputs, dim), "dim": torch.tensor(dim)}

    def _score(self, chunk: Outputs) -> Tensor:
        return -lengths(chunk.features, self.learnt("origin", chunk.features), self.learnt("principal", chunk.features))
