"""A detector on images one after the other, as many as there are, in memory that does not grow with their number."""

import math
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor

from oodkit.detector import Detector
from oodkit.forward import DTYPES, Dtype, Runner, default_batch_size, resolve_device, resolve_dtype
from oodkit.images.stream import Entry, ImageStream, stream_files
from oodkit.reading import read_batches

NOT_FINITE = "its score is no finite number"
LARGEST_BATCH = 128  # images, where none is asked for: of small images 256 for each of 8 processes are many to wait for
MOST_AHEAD = 1024  # images that are read ahead, unless a batch for each process is more


class Row(NamedTuple):
    """What a detector says of one image, or why it could not be read.

    path: its file, or its set and its name there. prediction: the class by its position, class_name: where the model names its
    classes. score: higher = more in-distribution. p_value: in (0, 1], small = unusual. accepted: taken to be in-distribution.
    reason: why it can't be read, one line; then the others are None. An image whose score is no finite number is not accepted,
    and has a reason, and neither score nor p-value; where its logits are none, it has no class either.
    """

    path: str
    prediction: int | None = None
    class_name: str | None = None
    score: float | None = None
    p_value: float | None = None
    accepted: bool | None = None
    reason: str | None = None


def score_stream(
    detector: Detector,
    images: ImageStream | Iterable[str | os.PathLike[str]],
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Generator[Row, None, None]:
    """A row for each image, in their order, as they are scored.

    images: paths of image files, of which a generator can make any number, or what ``open_stream`` gives. They are taken as they
    are needed: a batch, and for each process that decodes up to four ahead, but 1,024 images in all unless one batch for each is
    more; with ``workers=0`` a batch is scored before the next one is asked for. device, dtype, batch_size, workers: as in
    ``extract``, but that a batch is of at most 128 images where none is said; scores are the same as of its outputs, up to the
    rounding of batches of another size. While it runs, the detector's network is on the device; afterwards where and as it was.

    Raises what ``extract`` does where a batch can't be run at all, or the first one gives no finite logits. One image that can't be
    read, that the transform refuses, or whose logits are not finite, is a row.
    """
    stream = images if isinstance(images, ImageStream) else stream_files(images)
    where = resolve_device(device)
    size = batch_size or min(LARGEST_BATCH, default_batch_size(detector.model, where))
    precision = resolve_dtype(dtype)
    runner = Runner(detector.model, where, DTYPES[precision], size, lenient=True)
    with _in_place(detector, where), runner.network_in_place():
        batches = _batched(stream.entries, size)
        pinned = where.type == "cuda"
        for read, pixels, failures in read_batches(
            stream.places,
            detector.transform,
            batches,
            workers=workers,
            pin_memory=pinned,
            lenient=True,
            most_ahead=MOST_AHEAD,
        ):
            rows = [(entry.number, Row(entry.name, reason=reason)) for entry, reason in failures]
            if read:
                found = runner.run(pixels)
                rows += _rows(detector, read, found["features"], found["logits"], precision)
            yield from (row for _, row in sorted(rows, key=itemgetter(0)))


@contextmanager
def _in_place(detector: Detector, device: torch.device) -> Iterator[None]:
    """While open, what judges the outputs is where the network runs; MPS lacks the float64 that it takes."""
    before = detector.device
    detector.to("cpu" if device.type == "mps" else device)
    try:
        yield
    finally:
        detector.to(before)


def _rows(detector: Detector, read: list[Entry], features: Tensor, logits: Tensor, dtype: str) -> Iterator[tuple[int, Row]]:
    names = detector.model.class_names
    found = detector.detections(features, logits)
    columns = logits.argmax(1), logits.isfinite().all(1), found.scores, found.p_values, found.accepted
    for entry, prediction, finite, score, p_value, accepted in zip(read, *(one.tolist() for one in columns), strict=True):
        if not finite:
            yield entry.number, Row(entry.name, accepted=False, reason=f"its logits are not finite in {dtype}")
            continue
        row = Row(entry.name, prediction, names[prediction] if names else None, score, p_value, accepted)
        yield entry.number, row if math.isfinite(score) else row._replace(score=None, p_value=None, reason=NOT_FINITE)


def _batched(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, size)):
        yield batch
