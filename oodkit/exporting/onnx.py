"""A classifier or a detector as one ONNX graph: images in; logits, features, score and p-value out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.errors import NotApplicableError, OodkitError, UsageError
from oodkit.forward import Runner
from oodkit.heads import features_and_logits
from oodkit.scorers.module import ScorerModule

INPUT = "images"
TOLERANCE = 1e-3  # of the largest value: far above what the order of float32 sums makes, far below what a wrong graph does
BATCHES = (1, 3)  # images that the graph is checked with


@dataclass(frozen=True)
class OnnxFile:
    """What was written.

    path: the graph. weights: the file beside it that holds the weights, where the graph would be too large for one file, else
    None. outputs: their names in order. differences: by output, the largest difference between onnxruntime and PyTorch on random
    images, as a share of the largest value; None where onnxruntime is not installed, so that nothing was checked.
    """

    path: Path
    weights: Path | None
    outputs: tuple[str, ...]
    differences: Mapping[str, float] | None

    def sentence(self) -> str:
        """What the check found, in one line."""
        if self.differences is None:
            return "not checked: onnxruntime is not installed; pip install 'oodkit[onnx]'"
        name, most = max(self.differences.items(), key=lambda item: item[1])
        return f"checked with onnxruntime on random images: at most {most:.1e} of the largest value from PyTorch ({name})"


def export_onnx(what: Classifier | Detector, path: str | Path) -> OnnxFile:
    """Write a classifier, or a detector, as one ONNX graph, and hold it against PyTorch where onnxruntime is installed.

    Input ``images``: (batch, channels, height, width) float32, normalised by the model's own transform; only the batch varies.
    Outputs ``logits`` (batch, C) and ``features`` (batch, D), float32; of a detector also ``score`` and ``p_value`` (batch,),
    float64. The metadata of the graph says, each as text, what is needed to use it: classes, preprocessing, source, weights and,
    of a detector, scorer, threshold (out where score < threshold), alpha and calibration_images.
    A graph of more than 1.5 GB keeps its weights in PATH.data beside it, since one file can hold no 2 GB.

    Raises NotApplicableError where the scorer, or the network, can't become a graph; UsageError where the packages are not
    installed; OodkitError where onnxruntime answers otherwise than PyTorch, and then nothing is written.
    """
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise UsageError(f"an ONNX graph needs the package {missing[0]}: pip install 'oodkit[onnx]'")
    detector = what if isinstance(what, Detector) else None
    model = what.model if isinstance(what, Detector) else what
    if detector is not None and (reason := detector.scorer.untraceable()):
        raise NotApplicableError(f"{reason}; export the model without a scorer, or with another one")
    with Runner(model, torch.device("cpu"), torch.float32, 1).network_in_place(), torch.no_grad():
        graph = _Graph(model, detector)
        program = _program(graph, model)
        program.model.metadata_props.update(_metadata(model, detector))
        return _written(program, graph, model, Path(path))


class _Graph(nn.Module):
    """Images to the outputs that the file has."""

    def __init__(self, model: Classifier, detector: Detector | None) -> None:
        super().__init__()
        self.net, self.head = model.net, model.head.to("cpu")
        self.outputs: tuple[str, ...] = ("logits", "features")
        self.scoring: ScorerModule | None = None
        self.spread = 0.0
        if detector is not None:
            self.outputs += ("score", "p_value")
            self.scoring = ScorerModule(detector.scorer, self.head).cpu()
            self.register_buffer("calibration", torch.from_numpy(detector.calibration.scores.copy()))
            self.spread = float(detector.calibration.scores.std())

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features, logits = features_and_logits(self.net, self.head, images)
        if self.scoring is None:
            return logits, features
        score = self.scoring(features, logits)
        not_above = (self.get_buffer("calibration") <= score[:, None]).sum(1)
        return logits, features, score, (1 + not_above).double() / (1 + self.get_buffer("calibration").shape[0])


def _program(graph: _Graph, model: Classifier) -> torch.onnx.ONNXProgram:
    images = _random_images(2, model.input_size)
    try:
        traced = torch.export.export(graph, (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
        program = torch.onnx.export(traced, input_names=[INPUT], output_names=list(graph.outputs), verbose=False)
    except Exception as error:  # a stranger's network may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotApplicableError(f"{model.name} can't become an ONNX graph: {reason}") from error
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with the folders of this machine
    return program


def _written(program: torch.onnx.ONNXProgram, graph: _Graph, model: Classifier, path: Path) -> OnnxFile:
    """Written and checked in a folder of its own, then moved: nobody finds half a graph, or a wrong one, under ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True) as folder:
            written = Path(folder) / path.name
            program.save(written)
            differences = _differences(written, graph, model.input_size)
            for name, share in (differences or {}).items():
                if not share <= TOLERANCE:
                    what = f"{name} differs by {share:.1e} of its largest value"
                    raise OodkitError(f"onnxruntime does not answer as PyTorch does: {what}; {path} was not written")
            data = written.with_name(f"{path.name}.data")
            weights = data.replace(path.with_name(data.name)) if data.exists() else None
            written.replace(path)
    except OSError as error:
        raise OodkitError(f"can't write {path}: {error.strerror or error}; free some space or choose another folder") from error
    return OnnxFile(path, weights, graph.outputs, differences)


def _metadata(model: Classifier, detector: Detector | None) -> dict[str, str]:
    facts: dict[str, Any] = {
        "oodkit": version("oodkit"),
        "model": model.name,
        "source": model.source,
        "weights": model.weights_hash(),
        "preprocessing": model.preprocessing,
        "classes": model.class_names,
        "about": model.about,
    }
    if detector is not None:
        calibration = detector.calibration
        threshold = {"threshold": calibration.threshold, "alpha": calibration.alpha, "calibration_images": len(calibration)}
        facts = {**facts, "scorer": detector.scorer.spec(), **threshold}
    return {name: fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False) for name, fact in facts.items()}


def _random_images(count: int, size: tuple[int, int, int]) -> Tensor:
    return torch.randn((count, *size), generator=torch.Generator().manual_seed(0))


def _differences(path: Path, graph: _Graph, size: tuple[int, int, int]) -> dict[str, float] | None:
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    differences = dict.fromkeys(graph.outputs, 0.0)
    for count in BATCHES:
        images = _random_images(count, size)
        expected = graph(images)
        found = session.run(list(graph.outputs), {INPUT: images.numpy()})
        for name, one, other in zip(graph.outputs[:3], expected, found, strict=False):  # p_value is a rank, which jumps
            scale = max(float(one.abs().max()), graph.spread if name == "score" else 0.0) or 1.0
            differences[name] = max(differences[name], float((one - torch.from_numpy(other)).abs().max()) / scale)
    return differences
