"""Maximum logit score."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Mls(Scorer):
    """max_c z_c, unbounded.

    Hendrycks, Basart, Mazeika, Zou, Kwon, Mostajabi, Steinhardt and Song, ICML 2022, arXiv 1911.11132. Learns nothing;
    both presets agree.

    Fails on networks trained with label smoothing or mixup, whose logits of OOD images fall less than those of ID images
    ("Diagnosing Pretrained Models", ICCV 2025: 72.84 against 83.02 mean AUROC for the two torchvision recipes of ResNet-50).
    """

    name = "mls"
    title = "Maximum logit"
    paper = "arXiv:1911.11132"
    uses = "logits"

    def _score(self, chunk: Outputs) -> Tensor:
        return chunk.logits.amax(1)
