"""One forward pass over an image set: features and logits, in shards that survive an interruption."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch

from oodkit.cache import cache_root
from oodkit.classifier import Classifier
from oodkit.errors import OutputsError, UnsupportedModelError
from oodkit.extraction_plan import Plan, outputs_key, plan_extraction
from oodkit.forward import DTYPES, Dtype, Runner, obstacle, resolve_device, resolve_dtype
from oodkit.head import FORMAT as HEAD_FORMAT
from oodkit.head import load_head
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs, Skipped
from oodkit.probes import parse_probe
from oodkit.reading import read_batches
from oodkit.shards import (
    HEAD_FILE,
    missing_shards,
    open_outputs,
    open_parts,
    read_manifest,
    write_manifest,
    write_shard,
)

Progress = Callable[[int, int, str], None]


def extract(
    model: Classifier,
    images: ImageSet,
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    cache: str | Path | Literal[False] | None = None,
    labelled: bool = True,
    probes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Outputs:
    """Features, logits and labels of every readable image, from one forward pass each.

    What was extracted before with the same weights, transform, dtype and images is read from ``cache`` (None: the user's cache
    folder; False: nothing is kept) instead of computed; an interrupted run goes on at the first unfinished shard of 512 images.

    device: "auto" (CUDA, then MPS, then CPU) or any torch device. dtype: "auto" is float32, so that results do not depend on
    the machine; "bfloat16" and "float16" run under autocast and store features in that type, logits always in float32.
    batch_size: None lets oodkit choose, and a batch that does not fit in memory is halved. workers: processes that decode, None =
    by the number of cores. probes: specs such as ``odin`` or ``odin:noise=0.0028``, each a further run of the network on every
    image, cached by itself; ``extra`` gives its tensor under the whole spec. progress: called with (images done, images in all,
    what runs), which is ``""`` for the forward pass and else a probe's name, for which it counts from 0 again.

    Several processes, as torchrun or ``accelerate launch`` start them, share the shards through the cache and do not talk to each
    other: each makes its own, then whatever is still to be made, and returns when all are there; without a cache each makes all.
    So a run that began in two processes goes on in one or in three, and one that dies is not waited for.

    Labels are in the model's class order, −1 where a class is none of the model's; with ``labelled=False``, for OOD images, all
    are −1 whatever the set says. Images that can't be read are in ``skipped``. The network comes back on the device and in the
    mode that it was in. A run that goes on with another batch size or device may differ in the last bits from one that did not.
    Raises ImageSetError where the labels do not fit the model, OutputsError where no image can be read, UnsupportedModelError
    where a probe can't run on the network.
    """
    aligned = _aligned(model, images, labelled=labelled)
    if cache is False:
        with TemporaryDirectory() as folder:
            outputs = _extract_into(model, images, probes, _How(Path(folder), device, dtype, batch_size, workers, progress))
            outputs = outputs.subset(torch.arange(len(outputs)))
    else:
        root = cache_root() if cache is None else Path(cache)
        outputs = _extract_into(model, images, probes, _How(root, device, dtype, batch_size, workers, progress))
    return _with_labels(outputs, aligned)


def extract_own_share(
    model: Classifier,
    images: ImageSet,
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    cache: str | Path | None = None,
    probes: Sequence[str] = (),
    progress: Progress | None = None,
) -> None:
    """What this one of several processes has to do for ``extract``, and no more: called for all sets first, none is idle between.

    Arguments and errors as in ``extract``.
    """
    root = cache_root() if cache is None else Path(cache)
    how = _How(root, device, dtype, batch_size, workers, progress, own_only=True)
    for plan in _plans(model, images, probes, how):
        _carry_out(plan, model, images, how)


def extracted(
    model: Classifier,
    images: ImageSet,
    *,
    dtype: Dtype = "auto",
    cache: str | Path | Literal[False] | None = None,
    labelled: bool = True,
) -> Outputs | None:
    """What ``extract`` would give, where all of it is in the cache; None where a part is missing. No image is read or run.

    Arguments as in ``extract``. Raises ImageSetError where the labels do not fit the model, OutputsError where no image could be
    read.
    """
    aligned = _aligned(model, images, labelled=labelled)
    if cache is False:
        return None
    folder = (cache_root() if cache is None else Path(cache)) / outputs_key(model, images, dtype)
    manifest = read_manifest(folder)
    if manifest is None or _head_format(folder) is None or missing_shards(folder, manifest):
        return None
    return _with_labels(open_outputs(folder), aligned)


@dataclass(frozen=True)
class _How:
    """What a run was asked for, and where its results go."""

    root: Path
    device: str
    dtype: Dtype
    batch_size: int | None
    workers: int | None
    progress: Progress | None
    own_only: bool = False


def _extract_into(model: Classifier, images: ImageSet, probes: Sequence[str], how: _How) -> Outputs:
    forward, *further = _plans(model, images, probes, how)
    _carry_out(forward, model, images, how)
    outputs = open_outputs(forward.folder)
    for plan in further:
        _carry_out(plan, model, images, how)
        outputs = outputs.with_extras(open_parts(plan.folder, plan.manifest))
    return outputs


def _plans(model: Classifier, images: ImageSet, probes: Sequence[str], how: _How) -> list[Plan]:
    """Of the forward pass, and of each probe."""
    ready = list(dict.fromkeys(parse_probe(spec) for spec in probes))
    plans = [
        plan_extraction(model, images, probe, how.root, device=how.device, dtype=how.dtype, batch_size=how.batch_size)
        for probe in (None, *ready)
    ]
    for plan in plans:
        if plan.probe and plan.missing and (why := obstacle(model, plan.probe)):
            raise UnsupportedModelError(f"the probe {plan.probe.name} can't run on {model.name}: {why}")
    return plans


def _carry_out(plan: Plan, model: Classifier, images: ImageSet, how: _How) -> None:
    """Make what is missing, so that every shard is there, or those that are this process's."""
    manifest, what = plan.manifest, "" if plan.probe is None else plan.probe.name
    if read_manifest(plan.folder) != manifest:
        write_manifest(plan.folder, manifest)
    if plan.probe is None and _head_format(plan.folder) != HEAD_FORMAT:
        model.head.save(plan.folder / HEAD_FILE)
    done = manifest.count - sum(len(manifest.shard_range(shard)) for shard in plan.missing)
    tell = how.progress or (lambda _done, _all, _what: None)
    tell(done, manifest.count, what)
    if dealt := plan.dealt(own_only=how.own_only):
        device = resolve_device(how.device)
        runner = Runner(model, device, DTYPES[resolve_dtype(how.dtype)], plan.runs_at(model, device, how.batch_size), plan.probe)
        _run_shards(plan, dealt, images, runner, how.workers, lambda count: tell(done + count, manifest.count, what))


def _run_shards(
    plan: Plan, dealt: Sequence[int], images: ImageSet, runner: Runner, workers: int | None, tell: Callable[[int], None]
) -> None:
    begun = deque[tuple[int, int]]()  # each shard that is being read, and its batches

    def batches() -> Iterator[list[int]]:
        for shard in dealt:
            if not plan.made_elsewhere(shard):
                planned = plan.batches(shard)
                begun.append((shard, len(planned)))
                yield from planned

    stream = read_batches(images, runner.model.transform, batches(), workers=workers, pin_memory=runner.device.type == "cuda")
    done = 0
    with runner.network_in_place():
        for first in stream:
            shard, count = begun.popleft()
            rows, skipped = [], []
            for read, pixels, failures in chain([first], islice(stream, count - 1)):
                if plan.made_elsewhere(shard):
                    continue
                positions = torch.tensor(read, dtype=torch.int64)
                skipped += [Skipped(index, images.image_name(index), reason) for index, reason in failures]
                labels = torch.from_numpy(images.labels[positions.numpy()])
                found = runner.run(pixels) if len(pixels) else runner.nothing()
                rows.append({"indices": positions, "labels": labels, **found})
                done += len(positions) + len(failures)
                tell(done)
            if len(rows) == count:
                write_shard(plan.folder, shard, {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, skipped)


def _head_format(folder: Path) -> str | None:
    """That of the head in the folder; None where there is none that can be read."""
    try:
        return load_head(folder / HEAD_FILE)[1]["format"]
    except OutputsError:
        return None


def _aligned(model: Classifier, images: ImageSet, *, labelled: bool) -> tuple[np.ndarray, str | None]:
    """The labels (N,) in the model's class order, and what is to be said of them."""
    if labelled:
        return align_labels(images, model.class_names, model.class_ids, model.num_classes)
    return np.full(len(images), -1), None


def _with_labels(outputs: Outputs, aligned: tuple[np.ndarray, str | None]) -> Outputs:
    labels, note = aligned
    outputs = outputs.with_labels(torch.from_numpy(labels)[outputs.indices])
    outputs.notes = (note,) if note else ()
    return outputs
