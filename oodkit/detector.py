"""A detector: a classifier, a fitted scorer and a calibrated threshold as one torch module and one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.scorers.base import Scorer

Images = Tensor | Image.Image | Sequence[Image.Image]


class Detections(NamedTuple):
    """What a detector says of N images.

    logits: (N, C), where the network lies. scores: (N,) float64, higher = more in-distribution. p_values: (N,) float64 in (0, 1],
    small = unusual. accepted: (N,) bool, taken to be in-distribution. The last three are on the CPU.
    """

    logits: Tensor
    scores: Tensor
    p_values: Tensor
    accepted: Tensor


class Detector(nn.Module):
    """``Detector(model, scorer, calibration)(images)`` gives logits, scores, p-values and accepted or not.

    model: a Classifier. scorer: fitted, without a probe. calibration: of that scorer's scores on ID images.
    """

    def __init__(self, model: Classifier, scorer: Scorer, calibration: Calibration) -> None:
        super().__init__()
        self.model, self.scorer, self.calibration = model, scorer, calibration
        self.net, self.transform = model.net, model.transform

    def forward(self, images: Images) -> Detections:
        """A normalised batch (N, 3, H, W), a PIL image or a sequence of PIL images."""
        raise RuntimeError("not yet")

    def detections(self, features: Tensor, logits: Tensor | None = None) -> Detections:
        """Of features (N, D) that were extracted before."""
        raise RuntimeError("not yet")

    def save(self, path: str | Path) -> None:
        """Write head, scorer and calibration to one safetensors file; of the network its source and a hash of its weights."""
        raise RuntimeError("not yet")

    @classmethod
    def load(cls, path: str | Path, *, model: Classifier | None = None, device: str | torch.device = "cpu") -> "Detector":
        """Read what ``save`` wrote."""
        raise RuntimeError("not yet")
