"""What the tests of ONNX graphs share: small networks, detectors of them, and onnxruntime's answers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.heads import features_and_logits, find_head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'oodkit[onnx]'")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'oodkit[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'oodkit[onnx]'")


def images(count: int, size: tuple[int, int, int] = (3, 8, 8), seed: int = 1) -> Tensor:
    return torch.randn((count, *size), generator=torch.Generator().manual_seed(seed))


def answers(path: Path, batch: Tensor) -> dict[str, Tensor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(None, {"images": batch.numpy()})), strict=True))


def classifier(net: nn.Module, size: tuple[int, int, int] = (3, 8, 8)) -> Classifier:
    return Classifier("own", net.eval(), lambda image: torch.empty(0), find_head(net, size), size, {"input_size": list(size)})


def outputs_of(model: Classifier, count: int, seed: int) -> Outputs:
    with torch.no_grad():
        features, logits = features_and_logits(model.net, model.head, images(count, model.input_size, seed))
    return Outputs(features, logits.argmax(1), logits=logits, head=model.head)


def detector_of(model: Classifier, scorer: str, **settings: object) -> Detector:
    fitted = make_scorer(scorer, **settings).fit(outputs_of(model, 200, seed=2))
    return Detector(model, fitted, Calibration(fitted.score(outputs_of(model, 99, seed=3)).numpy(), alpha=0.1))


def close(found: Tensor, expected: Tensor, share: float = 1e-5) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=share * float(expected.abs().max()))


class TwoHeads(nn.Module):
    """The mean of two heads of features of their own."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(192, 5), nn.Linear(192, 5)
        self.head, self.head_dist = nn.Linear(5, 3), nn.Linear(5, 3)
        self.shared = shared

    def forward(self, pixels: Tensor) -> Tensor:
        one = self.one(pixels.flatten(1)).relu()
        two = one if self.shared else self.two(pixels.flatten(1)).relu()
        return (self.head(one) + self.head_dist(two)) / 2
