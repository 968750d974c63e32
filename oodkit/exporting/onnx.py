"""A classifier or a detector as one ONNX graph: images in; logits, features, score and p-value out."""

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import torch
from torch import Tensor, nn

from oodkit.calibration import judged
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.errors import NotApplicableError, OodkitError, UsageError
from oodkit.exporting.head_file import Making, head_facts
from oodkit.forward import Runner
from oodkit.scorers.base import Scorer
from oodkit.scorers.module import ScorerModule
from oodkit.tap import Tap
from oodkit.wording import first_line, without_folders

INPUT = "images"
TOLERANCE = 1e-3  # of the largest value: far above what the order of float32 sums makes, far below what a wrong graph does
BATCHES = (1, 3)  # images that the graph is checked with
LARGEST_FILE = 1536 * 2**20  # bytes of weights; protobuf reads no file of 2 GB


def _ranks(ranked: Tensor, scores: Tensor, *, right: bool) -> Tensor:
    assert right
    return (ranked <= scores[:, None]).sum(1)


LACKING = {torch.ops.aten.searchsorted.Tensor: _ranks}  # what ONNX has no operator for


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


def require_exportable(scorer: Scorer | None) -> None:
    """Raise what ``export_onnx`` would, before anything is computed for it.

    UsageError where its packages are not installed, NotApplicableError where the scorer can't stand in a graph.
    """
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise UsageError(f"an ONNX graph needs the package {missing[0]}: pip install 'oodkit[onnx]'")
    if scorer is not None and (reason := scorer.untraceable()):
        raise NotApplicableError(f"{reason}; export the model without a scorer, or with another one")


def export_onnx(what: Classifier | Detector, path: str | Path, making: Making | None = None) -> OnnxFile:
    """Write a classifier, or a detector, as one ONNX graph, and hold it against PyTorch where onnxruntime is installed.

    Input ``images``: (batch, channels, height, width) float32, normalised by the model's own transform; only the batch varies.
    Outputs ``logits`` (batch, C) and ``features`` (batch, D), float32; of a detector also ``score`` and ``p_value`` (batch,),
    float64, NaN where logits or features are not finite. The metadata says, each as text, what is needed to use the graph: all
    that a head file says, ``model`` and, of a detector, ``scorer``, ``threshold`` (accept where score >= threshold), ``alpha`` and
    ``calibration_images``. A graph of more than 1.5 GB keeps its weights in PATH.data beside it, since no file can hold 2 GB.
    making: how the head came about, for the metadata.

    Raises NotApplicableError where the scorer, or the network, can't become a graph; UsageError where the packages are not
    installed; OodkitError where onnxruntime answers otherwise than PyTorch, and then nothing is written.
    """
    model, detector = (what.model, what) if isinstance(what, Detector) else (what, None)
    require_exportable(detector.scorer if detector else None)
    with Runner(model, torch.device("cpu"), torch.float32, 1).network_in_place(), torch.no_grad():
        graph = _Graph(model, detector)
        try:
            program = _program(graph, model)
            program.model.metadata_props.update(_metadata(model, detector, making or Making()))
            return _written(program, graph, model, Path(path))
        finally:
            graph.tap.release()


class _Graph(nn.Module):
    """Images to the outputs that the file has."""

    def __init__(self, model: Classifier, detector: Detector | None) -> None:
        super().__init__()
        self.tap = Tap(model.net, model.head)
        self.outputs: tuple[str, ...] = ("logits", "features")
        self.scoring: ScorerModule | None = None
        self.threshold, self.spread = -math.inf, 0.0
        if detector is not None:
            self.outputs += ("score", "p_value")
            self.scoring = ScorerModule(detector.scorer, model.head).cpu()
            self.register_buffer("calibration", torch.from_numpy(detector.calibration.scores.copy()))
            self.threshold, self.spread = detector.threshold, float(detector.calibration.scores.std())

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features, logits = self.tap(images)
        if self.scoring is None:
            return logits, features
        score = self.scoring(features, logits)
        p_value, _ = judged(score, self.get_buffer("calibration"), self.threshold)
        return logits, features, torch.where(score.isfinite(), score, torch.nan), p_value


def _program(graph: _Graph, model: Classifier) -> torch.onnx.ONNXProgram:
    try:
        with _quiet():
            traced = _traced(graph, _random_images(2, model.input_size)).run_decompositions(LACKING)
            program = torch.onnx.export(
                traced,
                input_names=[INPUT],
                output_names=list(graph.outputs),
                dynamic_shapes=({0: "batch"},),
                verbose=False,
            )
    except Exception as error:  # a stranger's network may raise anything
        hint = "its forward has to take any number of images, and not to decide by their values"
        raise NotApplicableError(f"{model.name} can't become an ONNX graph: {_reason(error)}; {hint}") from error
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with the folders of this machine
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch warns of and prints: constants that it folds, the network as far as it could follow it one way."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def _traced(graph: _Graph, images: Tensor) -> torch.export.ExportedProgram:
    """For any number of images. PyTorch's other way is slower, but follows what the first can't: ``len`` of a batch."""
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    try:
        return torch.export.export(graph, (images,), dynamic_shapes=shapes)
    except Exception:  # noqa: BLE001 (a stranger's network may raise anything; the other way's reason is told)
        return torch.export.export(graph, (images,), dynamic_shapes=shapes, strict=True)


def _reason(error: BaseException) -> str:
    """What lies at the bottom of an error; those above it tell of steps and of files to send in."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _written(program: torch.onnx.ONNXProgram, graph: _Graph, model: Classifier, path: Path) -> OnnxFile:
    """Written and checked in a folder of its own, then moved: nobody finds half a graph, or a wrong one, under ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True) as folder:
            written = Path(folder) / path.name
            bytes_of = sum(tensor.nbytes for tensor in graph.state_dict().values())
            program.save(written, external_data=bytes_of > LARGEST_FILE)
            differences = _differences(written, graph, model.input_size)
            data = weights_beside(written)
            weights = data.replace(weights_beside(path)) if data.exists() else None
            written.replace(path)
    except OSError as error:
        raise OodkitError(f"can't write {path}: {error.strerror or error}; free some space or choose another folder") from error
    return OnnxFile(path, weights, graph.outputs, differences)


def weights_beside(path: Path) -> Path:
    """Where the weights of a graph lie that is too large for one file."""
    return path.with_name(f"{path.name}.data")


def _metadata(model: Classifier, detector: Detector | None, making: Making) -> dict[str, str]:
    facts = {**head_facts(model, making), "model": without_folders(model.name)}
    if detector is None:
        return facts
    calibration = detector.calibration
    numbers = {"threshold": calibration.threshold, "alpha": calibration.alpha, "calibration_images": len(calibration)}
    return {**facts, "scorer": detector.scorer.spec(), **{name: json.dumps(number) for name, number in numbers.items()}}


def _random_images(count: int, size: tuple[int, int, int]) -> Tensor:
    return torch.randn((count, *size), generator=torch.Generator().manual_seed(0))


def _differences(path: Path, graph: _Graph, size: tuple[int, int, int]) -> dict[str, float] | None:
    if find_spec("onnxruntime") is None:
        return None
    differences = dict.fromkeys(graph.outputs[:3], 0.0)
    batches = [_random_images(count, size) for count in BATCHES]
    for images, answer in zip(batches, _answers(path, batches), strict=True):
        for name, one, other in zip(graph.outputs, graph(images), answer, strict=True):
            _require_comparable(name, one, other)
            if name not in differences:
                continue  # p_value is a rank, which jumps
            scale = max(float(one.abs().max()), graph.spread if name == "score" else 0.0) or 1.0
            share = float((one - other).abs().max()) / scale
            if not share <= TOLERANCE:
                _refuse(f"{name} differs by {share:.1e} of its largest value")
            differences[name] = max(differences[name], share)
    return differences


def _require_comparable(name: str, one: Tensor, other: Tensor) -> None:
    if one.shape != other.shape:
        _refuse(f"{name} has the shape {tuple(other.shape)}, not {tuple(one.shape)}")
    if not one.isfinite().all() or not other.isfinite().all():
        whose = "onnxruntime's" if one.isfinite().all() else "PyTorch's"
        _refuse(f"{whose} {name} of random images is not finite")


def _refuse(what: str) -> NoReturn:
    raise OodkitError(f"onnxruntime does not answer as PyTorch does: {what}; nothing was written")


def _answers(path: Path, batches: Sequence[Tensor]) -> list[list[Tensor]]:
    """All outputs of onnxruntime for each batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        found = [session.run(None, {INPUT: images.numpy()}) for images in batches]
    except Exception as error:  # its errors have no class in common
        raise OodkitError(f"onnxruntime can't run the graph: {_reason(error)}; nothing was written") from error
    return [[torch.from_numpy(output) for output in outputs] for outputs in found]
