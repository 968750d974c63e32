"""A detector compiled by PyTorch's default backend, exported both ways, and stored: the same answers."""

import io
import shutil

import pytest
import torch
from torch import Tensor, nn

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer

ANY_NUMBER = ({0: torch.export.Dim("batch", min=1)},)


def pixels(count: int, seed: int = 0) -> Tensor:
    return torch.randn((count, 3, 8, 8), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def detector(tiny_model: Classifier) -> Detector:
    features = torch.rand((60, 6), generator=torch.Generator().manual_seed(1))
    learnt = Outputs(features, head=tiny_model.head)
    scorer = make_scorer("knn", k=3).fit(learnt)
    return Detector(tiny_model, scorer, Calibration(scorer.score(learnt.subset(torch.arange(0, 60, 3))).numpy() - 0.1))


def same(found: object, expected: tuple[Tensor, ...]) -> None:
    assert isinstance(found, tuple)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.filterwarnings("ignore:While compiling, we found certain side effects")
def test_it_exports_both_ways_for_any_number_of_images(detector: Detector, strict: bool) -> None:
    program = torch.export.export(detector, (pixels(2),), dynamic_shapes=ANY_NUMBER, strict=strict)
    for count in (1, 5):
        same(program.module()(pixels(count)), detector(pixels(count)))


def test_it_compiles_as_one_graph(detector: Detector) -> None:
    whole = torch.compile(detector, backend="eager", fullgraph=True)
    for count in (4, 7, 4):
        same(whole(pixels(count)), detector(pixels(count)))


class Plain(nn.Module):
    """As docs/onnx.md has it: ``torch.export.save`` can store no named tuple."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.detector(images))


def test_an_exported_program_is_stored_and_read_without_oodkit(detector: Detector) -> None:
    """Under no_grad, since what is stored may not switch gradients off by itself."""
    file = io.BytesIO()
    with torch.no_grad():
        torch.export.save(torch.export.export(Plain(detector), (pixels(2),), dynamic_shapes=ANY_NUMBER), file)
    file.seek(0)
    same(torch.export.load(file).module()(pixels(5)), detector(pixels(5)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler, and there is no c++ here")
@pytest.mark.filterwarnings("default")
def test_it_compiles_with_the_default_backend(detector: Detector) -> None:
    compiled = torch.compile(detector, fullgraph=True)
    for count in (2, 5, 1):
        same(compiled(pixels(count)), detector(pixels(count)))
