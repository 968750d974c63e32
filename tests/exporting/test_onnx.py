"""The ONNX graph answers as the classifier and the detector do, for any number of images, and says what it is."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

import oodkit
from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.errors import NotApplicableError, OodkitError, UsageError
from oodkit.exporting import onnx as form
from oodkit.exporting.onnx import OnnxFile, export_onnx
from oodkit.heads import features_and_logits, find_head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer
from oodkit.scorers.module import ScorerModule

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'oodkit[onnx]'")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'oodkit[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'oodkit[onnx]'")

HOSTILE = ('"], "x": ["', "<b>ü\n", "\x1b[31m")
IN_NO_GRAPH = {"relation", "odin", "adascale-a", "adascale-l", "rankfeat"}


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
    "averaged heads": lambda: TwoHeads(shared=False),
    "averaged heads of one feature": lambda: TwoHeads(shared=True),
    "1×1 convolution": lambda: MapHead(tokens=False),
    "tokens": lambda: MapHead(tokens=True),
    "len of a batch": CountsImages,
    "timm's ResNet": lambda: timm.create_model("test_resnet.r160_in1k", pretrained=False, num_classes=7),
    "timm's ViT": lambda: timm.create_model("test_vit.r160_in1k", pretrained=False, num_classes=7),
}


@pytest.mark.parametrize("kind", NETS)
def test_logits_and_features_are_those_of_the_network(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = NETS[kind]()
    model = classifier(net, (3, 160, 160) if "timm" in kind else (3, 8, 8))
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


@pytest.fixture(scope="module")
def with_knn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, OnnxFile]:
    torch.manual_seed(0)
    model = classifier(TwoHeads(shared=False))
    model.class_names, model.name = HOSTILE, "/home/someone/own.safetensors"
    detector = detector_of(model, "knn", k=5)
    return detector, export_onnx(detector, tmp_path_factory.mktemp("knn") / "detector.onnx")


def test_a_detector_gives_its_score_and_p_value_too(with_knn: tuple[Detector, OnnxFile]) -> None:
    detector, written = with_knn
    assert written.outputs == ("logits", "features", "score", "p_value")
    for count in (1, 3, 5):
        expected, found = detector(images(count)), answers(written.path, images(count))
        close(found["logits"], expected.logits)
        close(found["score"], expected.scores)
        np.testing.assert_array_equal(found["p_value"], detector.calibration.p_values(found["score"].numpy()))
        assert ((found["score"] >= detector.calibration.threshold) == expected.accepted).all()


def test_an_image_that_is_no_number_is_not_accepted(with_knn: tuple[Detector, OnnxFile]) -> None:
    batch = images(2)
    batch[0, 0, 0, 0] = torch.nan
    found = answers(with_knn[1].path, batch)
    for name in ("score", "p_value"):
        assert found[name].isnan().tolist() == [True, False]


def test_the_demo_model(tmp_path: Path) -> None:
    detector = detector_of(oodkit.load_classifier("demo:digits-v1"), "mls")
    written = export_onnx(detector, tmp_path / "demo.onnx")
    batch = images(5, detector.model.input_size)
    close(answers(written.path, batch)["score"], detector(batch).scores)


class AllScores(nn.Module):
    def __init__(self, judges: dict[str, ScorerModule]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges.values())

    def forward(self, features: Tensor, logits: Tensor) -> list[Tensor]:
        return [judge(features, logits) for judge in self.judges]


def test_every_scorer_goes_into_a_graph_or_says_why_not(tmp_path: Path) -> None:
    """All in one graph of features and logits, which is written in the time of a few: the scores are those of score()."""
    generator = torch.Generator().manual_seed(0)
    head = oodkit.Head(torch.randn((6, 24), generator=generator), torch.randn(6, generator=generator))
    labels = torch.arange(603) % 6
    whole = Outputs((torch.randn((603, 24), generator=generator) + 2 * head.weight[labels]).relu(), labels, head=head)
    learnt, new = whole.subset(torch.arange(600)), whole.subset(torch.arange(600, 603))
    scorers = {name: make_scorer(name) for name in SCORERS}
    assert {name for name, scorer in scorers.items() if scorer.untraceable()} == IN_NO_GRAPH
    fitted = {name: scorer.fit(learnt) for name, scorer in scorers.items() if name not in IN_NO_GRAPH}
    graph = AllScores({name: ScorerModule(scorer, head) for name, scorer in fitted.items()}).eval()
    rows = torch.export.Dim("rows", min=1)
    with form._quiet():
        traced = torch.export.export(graph, (learnt.features, learnt.logits), dynamic_shapes=({0: rows}, {0: rows}))
        names = {"input_names": ["features", "logits"], "output_names": [f"score {name}" for name in fitted]}
        program = torch.onnx.export(traced, **names, verbose=False)
    assert "Sigmoid" not in {node.op_type for node in program.model.graph}, "onnxruntime's is 0 or below from −18 on"
    program.save(tmp_path / "scores.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "scores.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": new.features.numpy(), "logits": new.logits.numpy()})
    for scores, scorer in zip(found, fitted.values(), strict=True):
        expected = scorer.score(new)
        torch.testing.assert_close(
            torch.from_numpy(scores), expected, rtol=0, atol=1e-6 * float(expected.abs().max()), msg=scorer.name
        )


def test_scorers_without_a_fixed_graph_are_refused_with_the_reason(tiny_model: Classifier, tmp_path: Path) -> None:
    with pytest.raises(NotApplicableError, match=r"^relation passes over much of its bank, .*; export the model without a scorer"):
        export_onnx(detector_of(tiny_model, "relation"), tmp_path / "no.onnx")
    assert "take index=exact" in (make_scorer("knn", index="ivf").untraceable() or "")
    assert "runs the network again" in (make_scorer("odin").untraceable() or "")
    assert make_scorer("odin", noise=0).untraceable() is None
    assert not list(tmp_path.iterdir())


def test_a_network_that_looks_at_values_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        NotApplicableError, match=r"^own can't become an ONNX graph: .*data-dependent.*; its forward has to take"
    ) as caught:
        export_onnx(classifier(LooksAtValues()), tmp_path / "no.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_the_metadata_says_what_the_graph_is(with_knn: tuple[Detector, OnnxFile]) -> None:
    detector, written = with_knn
    graph = onnx.load(written.path)
    facts = {fact.key: fact.value for fact in graph.metadata_props}
    assert json.loads(facts["classes"]) == list(HOSTILE)
    assert json.loads(facts["preprocessing"]) == {"input_size": [3, 8, 8]}
    assert json.loads(facts["threshold"]) == detector.calibration.threshold
    assert (facts["model"], facts["scorer"], facts["alpha"], facts["calibration_images"]) == (
        "own.safetensors",
        "knn:k=5",
        "0.1",
        "99",
    )
    assert (facts["weights"], facts["source"]) == (detector.model.weights_hash(), "own.safetensors")
    assert facts["oodkit"] == version("oodkit")
    assert [one.dim_param or one.dim_value for one in graph.graph.input[0].type.tensor_type.shape.dim] == ["batch", 3, 8, 8]
    assert [one.type.tensor_type.shape.dim[0].dim_param for one in graph.graph.output] == ["batch"] * 4
    onnx.checker.check_model(graph, full_check=True)


def test_no_folder_of_this_machine_stands_in_the_file(with_knn: tuple[Detector, OnnxFile]) -> None:
    written = with_knn[1].path.read_bytes()
    for path in (Path(oodkit.__file__).parent, Path(torch.__file__).parent, Path(__file__).parent, "/home/someone"):
        assert str(path).encode() not in written


def test_what_was_found_by_the_check_is_told(with_knn: tuple[Detector, OnnxFile]) -> None:
    written = with_knn[1]
    assert set(written.differences or {}) == {"logits", "features", "score"}
    assert written.sentence().startswith("checked with onnxruntime on random images: at most ")
    known = OnnxFile(written.path, None, ("logits", "features"), {"logits": 2e-7, "features": 1.26e-6})
    assert known.sentence().endswith("at most 1.3e-06 of the largest value from PyTorch (features)")


def test_a_graph_too_large_for_one_file_keeps_its_weights_beside_it(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "LARGEST_FILE", 0)
    detector = detector_of(tiny_model, "knn", k=5)
    written = export_onnx(detector, tmp_path / "detector.onnx")
    assert written.weights == tmp_path / "detector.onnx.data"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detector.onnx", "detector.onnx.data"]
    close(answers(written.path, images(2))["score"], detector(images(2)).scores)


def test_a_graph_that_answers_otherwise_is_not_written(
    tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = form._answers

    def wrong(path: Path, batches: list[Tensor]) -> list[list[Tensor]]:
        return [[logits * 1.01, *others] for logits, *others in right(path, batches)]

    monkeypatch.setattr(form, "_answers", wrong)
    with pytest.raises(
        OodkitError, match=r"^onnxruntime does not answer as PyTorch does: logits differs by 1.0e-02 of its largest value"
    ):
        export_onnx(tiny_model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_onnxruntime_refuses_is_not_written(tiny_model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\x1b[31m")
    with pytest.raises(OodkitError, match=r"^onnxruntime can't run the graph: [^\n\x1b]*; nothing was written$"):
        form._answers(tmp_path / "damaged.onnx", [images(1)])


def test_without_the_packages(tiny_model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "find_spec", lambda name: None if name == "onnxruntime" else name)
    written = export_onnx(tiny_model, tmp_path / "net.onnx")
    assert written.differences is None
    assert written.sentence() == "not checked: onnxruntime is not installed; pip install 'oodkit[onnx]'"
    close(answers(written.path, images(2))["logits"], tiny_model.net(images(2)).detach())
    monkeypatch.setattr(form, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"^an ONNX graph needs the package onnx: pip install 'oodkit\[onnx\]'$"):
        export_onnx(tiny_model, tmp_path / "other.onnx")


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
