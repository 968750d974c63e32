"""One forward pass over an image set: features and logits, in shards that survive an interruption."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch

from oodkit.cache import cache_root
from oodkit.classifier import Classifier
from oodkit.code_identity import stable_repr
from oodkit.errors import OutputsError, UnsupportedModelError, UsageError
from oodkit.forward import Runner
from oodkit.head import Head
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs, Skipped
from oodkit.probes import parse_probe
from oodkit.probes.base import Probe
from oodkit.reading import read_batches
from oodkit.shards import (
    COLUMNS,
    FORMAT,
    HEAD_FILE,
    Manifest,
    missing_shards,
    open_outputs,
    open_parts,
    read_manifest,
    write_manifest,
    write_shard,
)

SHARD_SIZE = 512
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Progress = Callable[[int, int], None]


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
    by the number of cores. probes: specs such as ``odin:noise=0.0014``, each a further run of the network on every image, whose
    tensor the outputs then hold under that name. progress: called with (images done, images in all), from 0 again for each probe.

    Labels are in the model's class order, −1 where a class is none of the model's; with ``labelled=False``, for OOD images, all
    are −1 whatever the set says. Images that can't be read are in ``skipped``. The network comes back on the device and in the
    mode that it was in. A run that goes on with another batch size or device may differ in the last bits from one that did not.
    Raises ImageSetError where the labels do not fit the model, OutputsError where no image can be read, UnsupportedModelError
    where a probe can't run on the network.
    """
    if labelled:
        labels, note = align_labels(images, model.class_names, model.class_ids, model.num_classes)
    else:
        labels, note = np.full(len(images), -1), None
    if cache is False:
        with TemporaryDirectory() as folder:
            outputs = _extract_into(model, images, probes, _How(Path(folder), device, dtype, batch_size, workers, progress))
            outputs = outputs.subset(torch.arange(len(outputs)))
    else:
        root = cache_root() if cache is None else Path(cache)
        outputs = _extract_into(model, images, probes, _How(root, device, dtype, batch_size, workers, progress))
    outputs = outputs.with_labels(torch.from_numpy(labels)[outputs.indices])
    outputs.notes = (note,) if note else ()
    return outputs


def outputs_key(model: Classifier, images: ImageSet, dtype: Dtype = "auto", probe: str | None = None) -> str:
    """The cache key: a hash of weights, transform, dtype and image list, of a probe's spec where it is its; never of a name."""
    parts = [
        FORMAT,
        model.fingerprint(),
        stable_repr(model.transform),
        dict(model.preprocessing),
        _dtype_name(dtype),
        images.fingerprint(),
        *([] if probe is None else [probe]),
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=12).hexdigest()


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; "auto" is the best one here. Raises UsageError where there is no such device."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.zeros(1, device=device).cpu().new_empty(0).to(device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"no device {device!r} here ({reason}); use auto, cpu, cuda, cuda:1 or mps") from error


@dataclass(frozen=True)
class _How:
    """What a run was asked for, and where its results go."""

    root: Path
    device: str
    dtype: Dtype
    batch_size: int | None
    workers: int | None
    progress: Progress | None


def _extract_into(model: Classifier, images: ImageSet, probes: Sequence[str], how: _How) -> Outputs:
    ready = {spec: parse_probe(spec) for spec in probes}
    for probe in ready.values():
        if obstacle := probe.obstacle(model):
            raise UnsupportedModelError(f"the probe {probe.name} can't run on {model.name}: {obstacle}")
    folder, _ = _complete(model, images, None, how)
    outputs = open_outputs(folder)
    for spec, probe in ready.items():
        outputs = outputs.with_extras(open_parts(*_complete(model, images, (spec, probe), how)))
    return outputs


def _complete(model: Classifier, images: ImageSet, probe: tuple[str, Probe] | None, how: _How) -> tuple[Path, Manifest]:
    """The folder of outputs, or of what one probe finds, with every shard there; what is missing is made."""
    key = outputs_key(model, images, how.dtype, None if probe is None else probe[0])
    folder = how.root / key
    manifest = read_manifest(folder)
    if manifest is None or how.batch_size not in {None, manifest.batch_size}:
        columns = COLUMNS if probe is None else (probe[0], "indices")
        about = {
            "model": model.name,
            "images": images.spec,
            "dtype": _dtype_name(how.dtype),
            "preprocessing": dict(model.preprocessing),
        }
        about |= {} if probe is None else {"probe": probe[0]}
        batch_size = how.batch_size or _default_batch_size(model, differentiates=probe is not None and probe[1].differentiates)
        manifest = Manifest(key, len(images), SHARD_SIZE, batch_size, about, columns)
        write_manifest(folder, manifest)
    if probe is None and not _has_head(folder):
        model.head.save(folder / HEAD_FILE)
    missing = missing_shards(folder, manifest)
    done = manifest.count - sum(len(manifest.shard_range(shard)) for shard in missing)
    tell = how.progress or (lambda _done, _all: None)
    tell(done, manifest.count)
    if missing:
        runner = Runner(model, resolve_device(how.device), DTYPES[_dtype_name(how.dtype)], manifest.batch_size, probe)
        _run_shards(folder, manifest, missing, images, runner, how.workers, lambda count: tell(done + count, manifest.count))
    return folder, manifest


def _run_shards(
    folder: Path,
    manifest: Manifest,
    missing: Sequence[int],
    images: ImageSet,
    runner: Runner,
    workers: int | None,
    tell: Callable[[int], None],
) -> None:
    plan = {shard: _batches(manifest, shard) for shard in missing}
    batches = list(chain.from_iterable(plan.values()))
    stream = read_batches(images, runner.model.transform, batches, workers=workers, pin_memory=runner.device.type == "cuda")
    done = 0
    with runner.network_in_place():
        for shard, planned in plan.items():
            rows, skipped = [], []
            for positions, pixels, failures in islice(stream, len(planned)):
                skipped += [Skipped(index, images.image_name(index), reason) for index, reason in failures]
                labels = torch.from_numpy(images.labels[positions.numpy()])
                found = runner.run(pixels) if len(pixels) else runner.nothing()
                rows.append({"indices": positions, "labels": labels, **found})
                done += len(positions) + len(failures)
                tell(done)
            write_shard(folder, shard, {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, skipped)


def _has_head(folder: Path) -> bool:
    try:
        Head.load(folder / HEAD_FILE)
    except OutputsError:
        return False
    return True


def _batches(manifest: Manifest, shard: int) -> list[list[int]]:
    rows = list(manifest.shard_range(shard))
    return [rows[start : start + manifest.batch_size] for start in range(0, len(rows), manifest.batch_size)]


def _default_batch_size(model: Classifier, *, differentiates: bool) -> int:
    """64 images of 224 × 224, and as many pixels of other sizes, at most 256 images; an eighth of it where gradients are kept."""
    _, height, width = model.input_size
    share = 8 if differentiates else 1
    return max(1, min(256, 64 * 224 * 224 // (height * width)) // share)


def _dtype_name(dtype: Dtype | torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    name = "float32" if name == "auto" else name
    if name not in DTYPES:
        raise UsageError(f"no dtype {name!r}; choose from auto, {', '.join(DTYPES)}")
    return name
