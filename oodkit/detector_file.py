"""A detector on disk: one safetensors file with head, scorer and calibration scores, which names the network that it is for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

from torch import Tensor

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier, load_classifier
from oodkit.columns import tensor_of
from oodkit.errors import CheckpointError, InputError, ModelNotFoundError, OodkitError, OutputsError
from oodkit.forward import resolve_dtype
from oodkit.head import FLOATS, Head
from oodkit.models.names import portable
from oodkit.models.untrusted import LONGEST_NAME, stored_name, stored_source
from oodkit.scorers import unpack
from oodkit.scorers.base import Scorer
from oodkit.tensor_file import load_stored, save_stored
from oodkit.wording import in_short, printable, without_folders

FORMAT = "oodkit-detector-1"
LONGEST_HASH = 64
HEAD, SCORER, SCORES = "head.", "scorer.", "calibration.scores"
DTYPE = "calibration_dtype"  # float32 where an older file lacks it
WORDS: dict[str, type | tuple[type, ...]] = {
    "source": object,
    "weights": str,
    "preprocessing": dict,
    "classes": (list, NoneType),
    "layers": list,
    "alpha": float,
    "calibration_images": str,
    "name": str,
}


@dataclass(frozen=True)
class StoredDetector:
    """What the file at ``path`` holds, checked but for the network.

    source: as ``Classifier.source``, not checked. weights: the hash of that network's tensors, before the head was put into it.
    name: what the network with the head is called. classes: their names, for people.
    """

    path: Path
    head: Head
    scorer: Scorer
    calibration: Calibration
    source: Any
    weights: str
    preprocessing: Mapping[str, Any]
    name: str
    classes: tuple[str, ...] | None

    def network(self) -> Classifier:
        """The network that the file names. Raises InputError where it may not name that, ModelNotFoundError where it isn't here."""
        try:
            return load_classifier(**stored_source(self.source, self.head.num_classes, self.path))
        except ModelNotFoundError as error:
            self._refuse(f"its network is out of reach: {error}", ModelNotFoundError, error)
        except InputError as error:
            self._refuse(str(error), InputError, error)
        except Exception as error:  # noqa: BLE001 (a name from a file leads anywhere)
            self._refuse(f"its network can't be loaded: {in_short(error)}", InputError, error)

    def fitted(self, model: Classifier) -> Classifier:
        """The network with the file's head in it. Raises CheckpointError where it is another one, or sees other images."""
        if (weights := model.as_loaded().weights) != self.weights:
            self._refuse(f"the weights of {model.name} are others than it was made with (hash {weights}, not {self.weights})")
        if differing := _differing(plain(model.preprocessing), self.preprocessing):
            self._refuse(f"{model.name} prepares images otherwise than it was calibrated with: {differing}")
        if (model.head.num_features, model.head.num_classes) != (self.head.num_features, self.head.num_classes):
            self._refuse(f"{model.name} has another head than it was made with")
        if not model.head.is_same(self.head):
            model = model.with_head(self.head, self.name)
        return model if self.classes is None else replace(model, class_names=self.classes)

    def _refuse(self, why: str, kind: type[OodkitError] = CheckpointError, cause: Exception | None = None) -> NoReturn:
        name = self.source.get("name") if isinstance(self.source, dict) else None
        remedy = "give the network that it was made with, --model NAME or Detector.load(…, model=load_classifier(NAME, …))"
        told = f" ({printable(name[:80])})" if isinstance(name, str) and name not in why else ""
        raise kind(f"can't use {self.path}: {why}; {remedy}{told}, or export the detector again") from cause


def write_detector(path: Path, model: Classifier, scorer: Scorer, calibration: Calibration) -> None:
    """Write all of it but the network, of which its source and the hash of its weights; whole or not at all."""
    learnt, facts = scorer.packed()
    head = model.head
    tensors = {f"{HEAD}weight": head.weight, f"{HEAD}bias": head.bias, SCORES: tensor_of("calibration scores", calibration.scores)}
    words: dict[str, Any] = {
        "source": _source_of(model, path),
        "weights": model.as_loaded().weights,
        "preprocessing": plain(model.preprocessing),
        "classes": model.class_names,
        "layers": head.layers,
        "alpha": calibration.alpha,
        "calibration_images": calibration.images,
        DTYPE: calibration.dtype,
        "name": without_folders(model.name),
    }
    metadata = {"format": FORMAT, "oodkit": version("oodkit"), **facts, **{key: json.dumps(value) for key, value in words.items()}}
    save_stored(path, tensors | {f"{SCORER}{name}": tensor for name, tensor in learnt.items()}, metadata)


def read_detector(path: Path) -> StoredDetector:
    """What ``write_detector`` wrote. Raises OutputsError where the file is missing, damaged or something else."""
    tensors, facts = load_stored(path, "a detector")
    if facts.get("format") != FORMAT:
        raise OutputsError(f"{path} is no oodkit detector: its metadata has no format {FORMAT}; oodkit export makes one")
    try:
        return _unpacked(path, tensors, facts)
    except OodkitError as error:
        raise OutputsError(f"can't read a detector from {path}: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise OutputsError(f"can't read a detector from {path}: it lacks or spoils {in_short(error)}") from error


def plain(value: Any) -> Any:
    """As it is after a turn through JSON."""
    return json.loads(json.dumps(value, default=str))


def _unpacked(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> StoredDetector:
    words = {name: json.loads(facts[name]) for name in WORDS}
    for name, kind in WORDS.items():
        if not isinstance(words[name], kind):
            raise TypeError(f"{name}, which is a {type(words[name]).__name__}")
    head = Head(tensors[f"{HEAD}weight"], tensors[f"{HEAD}bias"], tuple(map(str, words["layers"])))
    if not all(tensor.dtype in FLOATS and bool(tensor.isfinite().all()) for tensor in (head.weight, head.bias)):
        raise OutputsError("its head holds what is no finite number")
    scorer = unpack({name.removeprefix(SCORER): one for name, one in tensors.items() if name.startswith(SCORER)}, facts, head)
    if scorer.probe() is not None or (scorer.fits_on is not None and scorer.state is None):
        raise OutputsError(f"its scorer {scorer.name} has not learnt, or runs the network again")
    told: Any = in_short(json.loads(facts.get(DTYPE, '"float32"')), 40)
    dtype = resolve_dtype(told)
    calibration = Calibration(tensors[SCORES].numpy(), words["alpha"], words["calibration_images"], dtype)
    classes = None if words["classes"] is None else tuple(printable(str(name)) for name in words["classes"])
    if classes is not None and len(classes) != head.num_classes:
        raise OutputsError(f"it names {len(classes)} classes, and its head has {head.num_classes}")
    name, weights, source = printable(words["name"])[:LONGEST_NAME], printable(words["weights"])[:LONGEST_HASH], words["source"]
    return StoredDetector(path, head, scorer, calibration, source, weights, words["preprocessing"], name, classes)


def _source_of(model: Classifier, file: Path) -> dict[str, Any]:
    """What names the network again, with no more of the folders that it lies in than needed; nothing where only Python could."""
    source = {key: value for key, value in model.source.items() if key != "class_names"}  # which stand in the file anyway
    cut = {"name": lambda name: stored_name(name, file), "checkpoint": portable}
    source |= {key: short(source[key]) for key, short in cut.items() if isinstance(source.get(key), str)}
    try:
        json.dumps(source)
    except (TypeError, ValueError):
        return {}
    return source


def _differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    told = [in_short(f"{key} {here.get(key)}, not {there.get(key)}", 100) for key in keys]
    return "; ".join(told[:3])
