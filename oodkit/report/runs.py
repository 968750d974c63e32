"""A run on disk: its document, every image's scores, and the thumbnails that its report shows."""

import json
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from oodkit.atomic import write_atomically
from oodkit.errors import InputError, OodkitError
from oodkit.report.document import KINDS, Document
from oodkit.report.loading import load_document
from oodkit.wording import printable

RESULT, SCORES, THUMBNAILS, PAGE = "result.json", "scores.safetensors", "thumbnails", "report.html"
HEAD, DETECTOR = "head.safetensors", "detector.safetensors"  # of a repair, written after its result
FORMAT = "oodkit-scores-1"
THUMBNAIL = re.compile(r"[0-9a-f]{1,128}\.(png|jpg)")
LARGEST_THUMBNAIL = 2**18  # bytes; one of 128 × 128 pixels takes at most 65 kB without any compression

Array = np.ndarray[Any, Any]
Scores = Mapping[str, Mapping[str, Mapping[str, Array]]]


@dataclass(frozen=True)
class Run:
    """What a finished run leaves, and all that a report is made of.

    scores: by model, scorer label, and ``"id"`` or OOD set the scores of all images that were read, (n,), in their order and in
    the precision they were made in. thumbnails: PNG or JPEG files by name. correct: by model which ID images were classified
    correctly, (n,) uint8 as ``oodkit.accuracies.marks_of`` tells it; runs of older versions have none.
    """

    document: Document
    scores: Scores = field(default_factory=dict)
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    correct: Mapping[str, Array] = field(default_factory=dict)


def save_run(run: Run, folder: Path) -> Path:
    """Write the run to ``folder``, over one that was there before, whose report goes; returns the path of its ``result.json``.

    That is written last: a folder without it is no run. The scores name the result they belong to, and what a repair writes
    afterwards goes first, so that one that is stopped in between never shows the new ones beside the old result, or the old ones
    beside the new. Raises OodkitError where something can't be written, but not before all else is, and ValueError, before
    anything is, where the document is no JSON.
    """
    text = as_json(run.document)
    result, thumbnails = folder / RESULT, folder / THUMBNAILS
    was_a_run = result.is_file()  # thumbnails and pages of any other folder are the user's own
    beside = [partial(_write, thumbnails / name, image) for name, image in run.thumbnails.items()]
    beside.append(partial(_save_scores, run, folder / SCORES, _digest(json.loads(text))))
    failures = [error for write in beside if (error := _failure(write)) is not None]
    if was_a_run:
        _remove([folder / HEAD, folder / DETECTOR])
    _write(result, text.encode("ascii"))
    if was_a_run:  # thumbnails and a page would tell of another result than stands beside them
        old = [path for path in thumbnails.glob("*") if THUMBNAIL.fullmatch(path.name) and path.name not in run.thumbnails]
        _remove([folder / PAGE, *old])
    if failures:
        raise OodkitError(f"{result} is written, but not all that belongs beside it: {failures[0]}") from failures[0]
    return result


def load_run(path: str | PathLike[str], kinds: Sequence[str] = KINDS) -> Run:
    """The run in a folder, or that of a ``result.json``, where it is of one of these kinds.

    ``scores`` and ``correct`` are empty where their file is missing, damaged, or of another run; scores are read from it when they
    are asked for. Thumbnails that are missing, or are no small files, are left out. Raises UsageError where there is no run, and
    InputError for a result that is damaged, of another kind, or of another version's schema.
    """
    place = Path(path)
    result = place / RESULT if place.is_dir() else place
    document = load_document(result, kinds)
    thumbnails = {name: result.parent / THUMBNAILS / name for name in _thumbnails_of(document) if THUMBNAIL.fullmatch(name)}
    images = {name: image for name, one in thumbnails.items() if (image := _small_file(one)) is not None}
    scores, correct = _load_scores(result.parent / SCORES, _digest(document))
    return Run(document, scores, images, correct)


def as_json(document: Document) -> str:
    """The document as it is stored and printed, in ASCII. Raises ValueError where a number is not finite."""
    return json.dumps(document, indent=1, allow_nan=False)


def _digest(document: Document) -> str:
    """The same whatever the file's layout and the order of its keys."""
    return sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _write(path: Path, contents: bytes) -> None:
    write_atomically(path, lambda temporary: temporary.write_bytes(contents))


def _remove(paths: Collection[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # it may not be there, or another run may be tidying too
            path.unlink()


def _failure(write: Callable[[], None]) -> OodkitError | None:
    try:
        write()
    except OodkitError as error:
        return error
    return None


def _save_scores(run: Run, path: Path, result: str) -> None:
    """Tensors are named by position and not by name: a set's name may be no UTF-8, and safetensors takes nothing else."""
    tensors = {
        f"{i}.{j}.{k}": np.ascontiguousarray(values)
        for i, by_scorer in enumerate(run.scores.values())
        for j, by_set in enumerate(by_scorer.values())
        for k, values in enumerate(by_set.values())
    }
    tensors |= {f"correct.{i}": np.ascontiguousarray(marks, np.uint8) for i, marks in enumerate(run.correct.values())}
    names = {model: {scorer: list(by_set) for scorer, by_set in by_scorer.items()} for model, by_scorer in run.scores.items()}
    words = {"names": names, "correct": list(run.correct), "checksums": {name: _checksum(one) for name, one in tensors.items()}}
    metadata = {"format": FORMAT, "result": result, **{name: json.dumps(word) for name, word in words.items()}}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata))


def _checksum(values: Array) -> int:
    return zlib.crc32(values.tobytes())


class _Stored(Mapping[str, Array]):
    """One scorer's scores by set, read when asked for. The open file stays that of this run, even where another replaces it.

    Raises InputError, when they are asked for, where they are damaged.
    """

    def __init__(self, file: Any, path: Path, tensors: Mapping[str, str], checksums: Mapping[str, int]) -> None:
        self._file, self._path, self._tensors, self._checksums = file, path, tensors, checksums

    def __getitem__(self, name: str) -> Array:
        tensor = self._tensors[name]
        try:
            scores: Array = self._file.get_tensor(tensor)
            sound = scores.ndim == 1 and scores.dtype.kind == "f" and scores.size > 0 and bool(np.isfinite(scores).all())
            sound = sound and self._checksums.get(tensor, _checksum(scores)) == _checksum(scores)  # older versions wrote none
        except (SafetensorError, TypeError, ValueError, AttributeError):  # numpy lacks some of safetensors' types
            sound = False
        if not sound:
            raise InputError(
                f"{self._path} is damaged: the scores of {printable(name)} are not those that were written; diagnose again"
            )
        return scores

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _load_scores(path: Path, result: str) -> tuple[Scores, dict[str, Array]]:
    """Also which images were classified correctly; both empty where the file is of no use."""
    found: dict[str, dict[str, Mapping[str, Array]]] = {}
    if not path.is_file():
        return {}, {}
    try:
        file: Any = safe_open(path, framework="np")
        facts = file.metadata()
        if (facts["format"], facts["result"]) != (FORMAT, result):
            return {}, {}
        stored, checksums = set(file.keys()), dict(json.loads(facts.get("checksums", "{}")))
        for i, (model, by_scorer) in enumerate(json.loads(facts["names"]).items()):
            found[model] = {}
            for j, (scorer, sets) in enumerate(by_scorer.items()):
                tensors = {name: f"{i}.{j}.{k}" for k, name in enumerate(sets)}
                if not stored.issuperset(tensors.values()):
                    return {}, {}
                found[model][scorer] = _Stored(file, path, tensors, checksums)
        marked = json.loads(facts.get("correct", "[]"))  # which runs of older versions lack
        correct = {model: marks for i, model in enumerate(marked) if _are_marks(marks := file.get_tensor(f"correct.{i}"))}
    except (OSError, SafetensorError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}, {}
    return found, correct


def _are_marks(values: Array) -> bool:
    return values.dtype == np.uint8 and values.ndim == 1


def _thumbnails_of(document: Document) -> set[str]:
    """The names of the thumbnails that the document shows."""
    found = (model["extremes"] for model in document.get("models", ()))
    shown = [images for one in found if one is not None for images in (*one["accepted"].values(), one["rejected"])]
    of_quality = (*document.get("samples", ()), *document.get("copies", ()))
    shown += [row["images"] for one in of_quality for row in one["rows"]]
    return {image["thumbnail"] for images in shown for image in images if image["thumbnail"] is not None}


def _small_file(path: Path) -> bytes | None:
    """Its contents; None where it is missing, a link, a device or large."""
    try:
        small = path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_THUMBNAIL
        return path.read_bytes() if small else None
    except OSError:
        return None
