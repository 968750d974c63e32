"""CutMix: a box of one image is pasted into another, and labels are shared by area."""

from dataclasses import dataclass
from typing import Any

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes import pairs
from oodkit.training.recipes.base import Recipe


@dataclass
class CutMix(Recipe):
    """L = −y_mixᵀ log softmax(F(x_mix)): x_mix is x with a box of x′ in it, y_mix = λ y + (1 − λ) y′, λ the share of x's pixels.

    Yun et al., ICCV 2019, arXiv:1905.04899, section 3.1. The box takes 1 − λ of the image, λ drawn from Beta(α, α), and is cut
    off at the edges, after which λ is counted anew; there is one box a batch, and x′ is the image before x in it, all by
    torchvision's v2.CutMix. alpha: above 0; 1 as in the paper, in OpenOOD v1.5, which mixes every batch as this does, and in
    torchvision's second recipe. Images are cropped and flipped first. The accuracy in training counts the class with the larger
    share.
    """

    name = "cutmix"
    title = "CutMix"
    paper = "arXiv:1905.04899"
    scored_by = ("msp",)

    alpha: float = 1.0

    def __post_init__(self) -> None:
        self.require(self.alpha > 0, "an alpha above 0")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        mixed = pairs.cutmix(batch.images, batch.labels, self.alpha)
        logits = learner.logits(mixed.images).float()
        return Found({"cross-entropy": mixed.cross_entropy(logits)}, mixed.correct(logits))

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "cutmix": self.alpha}
