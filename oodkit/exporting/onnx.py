"""A classifier or a detector as one ONNX graph: images in; logits, features and score out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from oodkit.classifier import Classifier
from oodkit.errors import NotApplicableError


@dataclass(frozen=True)
class OnnxFile:
    """What was written.

    path: the graph. weights: the file beside it that holds the weights where they are larger than 2 GB, else None. outputs: their
    names in order. differences: by output, the largest difference between onnxruntime and PyTorch on random images, relative to
    the largest value; None where onnxruntime is not installed, so that nothing was checked.
    """

    path: Path
    weights: Path | None
    outputs: tuple[str, ...]
    differences: Mapping[str, float] | None


def export_onnx(what: "Classifier | nn.Module", path: str | Path) -> OnnxFile:
    """Write a classifier, or a detector, as one ONNX graph. Raises NotApplicableError where that can't be, with the reason."""
    raise NotApplicableError("the ONNX form is being written")
