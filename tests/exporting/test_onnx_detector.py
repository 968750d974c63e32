"""The ONNX graph of a detector answers as the detector does, for any number of images, and says what it is."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

import oodkit
from oodkit.detector import Detector
from oodkit.exporting.onnx import OnnxFile, export_onnx
from oodkit.heads import features_and_logits

from .graphs import TwoHeads, answers, classifier, close, detector_of, images, onnx

HOSTILE = ('"], "x": ["', "<b>ü\n", "\x1b[31m")


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
        features, logits = features_and_logits(detector.model.net, detector.model.head, images(count))
        close(found["logits"], logits.detach())
        close(found["features"], features.detach())
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
