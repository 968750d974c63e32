"""The ONNX graph of a network answers as the network does, for any number of images; nothing else is ever written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.errors import NotApplicableError, OodkitError, UsageError
from oodkit.exporting import onnx as form
from oodkit.exporting.onnx import export_onnx
from oodkit.heads import features_and_logits

from .graphs import TwoHeads, answers, classifier, close, images, onnxruntime

Array = np.ndarray


class MapHead(nn.Module):
    """A 1×1 convolution that scores every position, or a linear layer of tokens, and then the mean."""

    def __init__(self, *, tokens: bool) -> None:
        super().__init__()
        self.body, self.tokens = nn.Conv2d(3, 5, 3), tokens
        self.fc = nn.Linear(5, 3) if tokens else nn.Conv2d(5, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.body(pixels).relu()
        return self.fc(found.flatten(2).mT).mean(1) if self.tokens else self.fc(found).mean((2, 3))


class CountsImages(nn.Module):
    """Written with ``len``, which PyTorch's first way of following a network takes for a fixed number."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.fc(pixels.reshape(len(pixels), -1))


class LooksAtValues(CountsImages):
    def forward(self, pixels: Tensor) -> Tensor:
        return self.fc(pixels.flatten(1) * (2 if float(pixels.sum()) > 0 else 1))


NETS: dict[str, Callable[[], nn.Module]] = {
    "averaged heads of one feature": lambda: TwoHeads(shared=True),
    "1×1 convolution": lambda: MapHead(tokens=False),
    "tokens": lambda: MapHead(tokens=True),
    "len of a batch": CountsImages,
    "timm's ViT": lambda: timm.create_model("test_vit.r160_in1k", pretrained=False, num_classes=7, img_size=32, depth=1),
}


@pytest.mark.parametrize("kind", NETS)
def test_logits_and_features_are_those_of_the_network(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = NETS[kind]()
    model = classifier(net, (3, 32, 32) if "timm" in kind else (3, 8, 8))
    written = export_onnx(model, tmp_path / "net.onnx")
    assert written.outputs == ("logits", "features")
    for count in (1, 3, 4):
        batch = images(count, model.input_size)
        with torch.no_grad():
            features, logits = features_and_logits(net, model.head, batch)
        found = answers(written.path, batch)
        close(found["logits"], logits)
        close(found["features"], features)
        close(model.head(found["features"]), found["logits"])


def test_a_network_that_looks_at_values_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        NotApplicableError, match=r"^own can't become an ONNX graph: .*data-dependent.*; its forward has to take"
    ) as caught:
        export_onnx(classifier(LooksAtValues()), tmp_path / "no.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def programs() -> dict[str, torch.onnx.ONNXProgram]:
    return {}


@pytest.fixture
def followed_once(programs: dict[str, torch.onnx.ONNXProgram], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny network becomes a graph once for the tests of what is done with a graph."""
    follow = form._program

    def once(graph: form._Graph, model: Classifier) -> torch.onnx.ONNXProgram:
        if model.name not in programs:
            programs[model.name] = follow(graph, model)
        return programs[model.name]

    monkeypatch.setattr(form, "_program", once)


@pytest.mark.usefixtures("followed_once")
def test_a_graph_too_large_for_one_file_keeps_its_weights_beside_it(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "LARGEST_FILE", 0)
    written = export_onnx(tiny_model, tmp_path / "net.onnx")
    assert written.weights == tmp_path / "net.onnx.data"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"]
    close(answers(written.path, images(2))["logits"], tiny_model.net(images(2)).detach())


def spoil_answers(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Array, Array], list[Array]]) -> None:
    """onnxruntime answers logits and features otherwise than it would."""
    right = onnxruntime.InferenceSession.run
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", lambda session, *asked: spoil(*right(session, *asked)))


@pytest.mark.usefixtures("followed_once")
def test_a_graph_that_answers_otherwise_is_not_written(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_answers(monkeypatch, lambda logits, features: [logits * np.float32(1.01), features])
    with pytest.raises(
        OodkitError, match=r"^onnxruntime does not answer as PyTorch does: logits differs by 1.0e-02 of its largest value"
    ):
        export_onnx(tiny_model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("followed_once")
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda logits, features: [logits * np.float32("nan"), features], "onnxruntime's logits of random images is not finite"),
        (lambda logits, features: [logits, features[:, :2]], r"features has the shape \(1, 2\), not \(1, 6\)"),
    ],
)
def test_neither_nan_nor_another_shape_passes_the_check(
    tiny_model: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Array, Array], list[Array]],
    told: str,
) -> None:
    spoil_answers(monkeypatch, spoil)
    with pytest.raises(OodkitError, match=f"^onnxruntime does not answer as PyTorch does: {told}; nothing was written$"):
        export_onnx(tiny_model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("followed_once")
def test_an_output_that_is_missing_does_not_pass_the_check(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_answers(monkeypatch, lambda logits, _features: [logits])
    with pytest.raises(ValueError, match="shorter"):
        export_onnx(tiny_model, tmp_path / "net.onnx")


@pytest.mark.usefixtures("followed_once")
def test_a_graph_that_onnxruntime_refuses_is_not_written(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", lambda _program, path, **_how: Path(path).write_bytes(b"\x1b[31m"))
    with pytest.raises(OodkitError, match=r"^onnxruntime can't run the graph: [^\n\x1b]*; nothing was written$"):
        export_onnx(tiny_model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("followed_once")
def test_without_the_packages(tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "find_spec", lambda name: None if name == "onnxruntime" else name)
    written = export_onnx(tiny_model, tmp_path / "net.onnx")
    assert written.differences is None
    assert written.sentence() == "not checked: onnxruntime is not installed; pip install 'oodkit[onnx]'"
    close(answers(written.path, images(2))["logits"], tiny_model.net(images(2)).detach())
    monkeypatch.setattr(form, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"^an ONNX graph needs the package onnx: pip install 'oodkit\[onnx\]'$"):
        export_onnx(tiny_model, tmp_path / "other.onnx")


@pytest.mark.usefixtures("followed_once")
def test_a_folder_that_is_a_file_is_told(tiny_model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OodkitError, match=r"^can't write .*net\.onnx: "):
        export_onnx(tiny_model, tmp_path / "file" / "net.onnx")


def test_the_network_stays_as_it_was(tiny_model: Classifier, tmp_path: Path) -> None:
    tiny_model.net.train()
    before = tiny_model.weights_hash()
    export_onnx(tiny_model, tmp_path / "net.onnx")
    assert tiny_model.net.training
    assert all(weight.requires_grad for weight in tiny_model.net.parameters())
    assert tiny_model.weights_hash() == before
