"""Neural relation graph."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import threshold

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common.bank import BankScorer, bank_share, pieces, reorder
from oodkit.stats import require_finite, unit_rows

BLOCK = 64  # images of the bank that are compared, or passed over, together; larger ones are passed over less often
SLACK = 1e-4  # a bound in float32 may lie this much, relatively, below what it bounds


@dataclass
class Relation(BankScorer):
    """Σ_i r_i^e over the training images with r_i > threshold, r_i = max(⟨f̂, f̂_i⟩, 0) · ⟨p, p_i⟩; p the softmax; at least 0.

    Kim, Yun and Song, NeurIPS 2023, arXiv 2301.12321; OpenOOD's relation_postprocessor.py. Learns the features and softmaxes of
    the training images.
    exponent: e, a whole number from 1; 1. threshold: at least 0 and below 1; 0.03. fraction: the share of the training images that
    the bank holds, drawn class by class; none takes all, or as many as 4 GiB hold, and says so: the whole of ImageNet takes
    14.5 GiB at 2048 features. Half of the images give about half of the score, in nearly the same order. seed: of that draw.

    Exact, though few of the pairs are looked at: r is at most ⟨p, p_i⟩, so that blocks of images whose predictions can't come
    above the threshold with an image's are passed over. Images that fall below it with all others tie at 0.
    """

    name = "relation"
    title = "Neural relation graph"
    paper = "arXiv:2301.12321"
    uses = "both"
    grid: ClassVar = {"exponent": (1, 2, 4, 6, 8)}

    exponent: int = 1
    threshold: float = 0.03
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.exponent >= 1 and 0 <= self.threshold < 1, "an exponent of at least 1, a threshold from 0 to below 1")

    def untraceable(self) -> str | None:
        return f"{self.name} passes over much of its bank, and what it passes over depends on the image, which no fixed graph can"

    def width(self, outputs: Outputs) -> int:
        return outputs.num_features + outputs.num_classes

    def _fit(self, outputs: Outputs) -> State:
        rows = self.rows(outputs)
        features = torch.empty(len(rows), outputs.num_features, device=outputs.device)
        softmaxes = torch.empty(len(rows), outputs.num_classes, device=outputs.device)
        for place, chunk in pieces(outputs, rows):
            features[place], softmaxes[place] = _directions(chunk)
            require_finite(features[place], softmaxes[place])
        confidences, predictions = softmaxes.max(1)
        order = (predictions + confidences.double() / 2).argsort()  # alike predictions side by side, and the unsure among them
        reorder(features, order)
        reorder(softmaxes, order)
        peaks = torch.stack([block.amax(0) for block in torch.split(softmaxes, BLOCK)])
        return {"features": features, "softmaxes": softmaxes, "peaks": peaks, "fraction": bank_share(features, outputs)}

    def _score(self, chunk: Outputs) -> Tensor:
        features, softmaxes = _directions(chunk)
        bank = [torch.split(self.learnt(name, features), BLOCK) for name in ("features", "softmaxes")]
        bounds = self.learnt("peaks", softmaxes) @ softmaxes.mT
        scores = torch.zeros(len(chunk), dtype=torch.float64, device=features.device)
        for bound, own_features, own_softmaxes in zip(bounds, *bank, strict=True):
            near = (bound > self.threshold * (1 - SLACK)).nonzero().flatten()
            agreement = softmaxes[near] @ own_softmaxes.mT
            relation = (features[near] @ own_features.mT).mul_(agreement)
            relation = threshold(relation, self.threshold, 0, inplace=True)  # the negative ones fall below it too
            scores[near] += (relation if self.exponent == 1 else relation.double() ** self.exponent).sum(1, dtype=torch.float64)
        finite = features.isfinite().all(1) & softmaxes.isfinite().all(1)
        return scores.masked_fill(~finite, torch.nan)


def _directions(chunk: Outputs) -> tuple[Tensor, Tensor]:
    """Features of unit length (n, D) and softmaxes (n, C), in float32."""
    return unit_rows(chunk.features).float(), chunk.logits.double().softmax(1).float()
