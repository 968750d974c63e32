"""Plain cross-entropy: the baseline that every other recipe is held against."""

from dataclasses import dataclass

from oodkit.training.recipes.base import Recipe


@dataclass
class V1(Recipe):
    """L = −log softmax(v)[y], on images that are cropped and flipped and nothing else.

    torchvision's first recipe and OpenOOD v1.5's baseline (Zhang et al., arXiv:2306.09301, appendix).
    """

    name = "v1"
    title = "Plain cross-entropy"
    paper = "arXiv:2306.09301"
