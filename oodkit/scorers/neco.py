"""Share of the feature's length that lies in the principal components of the training features."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.memo import once
from oodkit.moments import FLOAT64_EPSILON, counted, moments
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State


@dataclass
class Neco(Scorer):
    """‖P s‖ / ‖s‖ · max_c z_c, P the leading principal components of s = (f − μ) / σ; without max_c z_c in [0, 1].

    Ben Ammar, Belkhir, Popescu, Manzanera and Franchi, ICLR 2024, arXiv 2310.06823; drti/neco, ood_methods.py. μ, σ and P of the
    training images alone, labels unread; a feature that is constant there is centred and not divided. P keeps ``dim`` rows.
    dim: 0 < dim < D. The paper sets it network by network; None takes the authors' default of 100 or, where one is less, D // 2
    (with nearly all of D nothing is left to tell images by) or C − 1, the dimensions of the frame that neural collapse makes.
    logit: whether the largest logit multiplies; None as the authors: not for ResNets, whose features are never negative (told by
    the mean feature), else it does. length: what divides, ``standardised`` features, in the authors' code so for ViT and ResNet;
    ``raw`` takes ‖f‖ in place of ‖s‖, so there for Swin and DeiT, though it mixes two units.

    OpenOOD v1.5 has no NECO; both presets agree. A negative largest logit turns the order round. Fails where the training features
    have not collapsed to few directions: on a ReLU network of 100 classes and 128 features it reaches 58 near and 90 far without
    the logit, which None leaves out there, and 95 and 94 with logit=true.
    """

    name = "neco"
    title = "Neural-collapse subspace"
    paper = "arXiv:2310.06823"
    uses = "both"
    fits_on = "train"

    dim: int | None = None
    logit: bool | None = None
    length: Literal["standardised", "raw"] = "standardised"

    def __post_init__(self) -> None:
        self.require(self.dim is None or self.dim > 0, "dim above 0 or none")

    def _fit(self, outputs: Outputs) -> State:
        mean, deviations, components = _standardised(outputs)
        width = outputs.num_features
        dim = max(min(100, outputs.num_classes - 1, width // 2), 1) if self.dim is None else self.dim
        if dim >= width:
            raise NotApplicableError(f"neco takes a dim below the {width} features of this network, got {dim}")
        leading = components[:, -dim:].contiguous()  # fewer where the images span fewer
        if leading.shape[1] == 0:
            raise NotApplicableError("neco finds no direction in which the training features vary; give more images")
        logit = bool((mean < 0).any()) if self.logit is None else self.logit
        learnt = {"mean": mean, "deviations": deviations, "components": leading}
        return {**learnt, "dim": torch.tensor(leading.shape[1]), "logit": torch.tensor(logit)}

    def _score(self, chunk: Outputs) -> Tensor:
        features = chunk.features
        standardised = (features - self.learnt("mean", features)) / self.learnt("deviations", features)
        length = torch.linalg.vector_norm(standardised if self.length == "standardised" else features.double(), dim=1)
        inside = torch.linalg.vector_norm(standardised @ self.learnt("components", features), dim=1)
        share = torch.where(length == 0, 0.0, inside / length)
        return share * chunk.logits.amax(1).double() if self.settings()["logit"] else share


@once
def _standardised(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), deviations (D,), and principal components (D, r) of the standardised features, the leading one last."""
    learnt = moments(outputs)
    variances = learnt.total.diagonal()
    rounding = (learnt.count * FLOAT64_EPSILON * learnt.mean).square()
    deviations = torch.where(variances > rounding, variances, 1.0).sqrt()
    values, vectors = learnt.eigenpairs(deviations=deviations)
    return learnt.mean, deviations, vectors[:, counted(values, len(vectors))]
