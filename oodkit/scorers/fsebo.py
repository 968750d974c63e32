"""Energy of clipped features, weighted by how strongly the image lights its features."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.percentiles import percentile
from oodkit.scorers.base import FitsOn, Scorer, State


@dataclass
class Fsebo(Scorer):
    """lse(min(f, c) Wᵀ + b) · (1 + mean_j f_j): the energy of clipped features times the mean of the unclipped ones.

    Guan et al., AAAI 2024, pp. 19858–19866; SYSU-MIA-GROUP/statistical_discrepancy_ood, ood_test.py. c is a percentile of all
    entries of the ID training features jointly; reads no labels.
    percentile: 0–100; 92, the authors' value. clip: c itself; None takes it from the percentile, and with a number nothing is
    learnt and the percentile does not count.

    Deviation: the authors' script clips the ID images at c but the OOD images at the constant 1.0, which tells the score which
    set an image stands in. Here every image is clipped at the same c, so the published figures need not come out again; to
    repeat them, score the ID images with ``fsebo`` and the OOD images with ``fsebo:clip=1``. Fails where an energy or a mean
    is negative enough to turn the product round; it warns.
    """

    name = "fsebo"
    title = "FS-EBO"
    paper = "AAAI 2024, pp. 19858–19866"
    uses = "both"
    fits_on = cast("FitsOn", "train")  # an instance with a clip of its own learns from nothing

    percentile: float = 92.0
    clip: float | None = None

    def __post_init__(self) -> None:
        self.require(0 <= self.percentile <= 100, "a percentile between 0 and 100")
        self.fits_on = "train" if self.clip is None else None

    def caution(self, outputs: Outputs) -> str | None:
        """Looks at one chunk of images, from all over the set: a product that few images turn round changes the figures little."""
        some = outputs.subset(torch.arange(0, len(outputs), -(-len(outputs) // CHUNK_ROWS) or 1))
        for chunk in some.chunks():
            if bool((_strength(chunk) < 0).any()) or bool((chunk.logits.double().logsumexp(1) < 0).any()):
                return f"{self.name} is a product, and one of its factors is negative for some images, which turns the order round"
        return None

    def _fit(self, outputs: Outputs) -> State:
        self.head_of(outputs)
        return {"clip": torch.tensor(percentile(outputs, self.percentile), dtype=torch.float64)}

    def _score(self, chunk: Outputs) -> Tensor:
        clipped = chunk.features.clamp(max=self.settings()["clip"])
        return self.head_of(chunk)(clipped).double().logsumexp(1) * _strength(chunk)


def _strength(chunk: Outputs) -> Tensor:
    """(n,) 1 + mean_j f_j."""
    return 1 + chunk.features.double().mean(1)
