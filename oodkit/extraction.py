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
from oodkit.forward import Runner, obstacle
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
    """The cache key: a hash of weights, transform, dtype, image list and, for what a probe finds, its spec and version; never
    of a name.
    """
    asked = None if probe is None else parse_probe(probe)
    parts = [
        FORMAT,
        model.fingerprint(),
        stable_repr(model.transform),
        dict(model.preprocessing),
        _dtype_name(dtype),
        images.fingerprint(),
        *([] if asked is None else [asked.spec(), asked.version]),
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


@dataclass(frozen=True)
class _Plan:
    """A folder of outputs, or of what one probe finds, and its shards that are still to be made."""

    probe: Probe | None
    folder: Path
    manifest: Manifest
    missing: Sequence[int]


def _extract_into(model: Classifier, images: ImageSet, probes: Sequence[str], how: _How) -> Outputs:
    ready = list(dict.fromkeys(parse_probe(spec) for spec in probes))
    plans = [_plan(model, images, probe, how) for probe in (None, *ready)]
    for plan in plans:
        if plan.probe and plan.missing and (why := obstacle(model, plan.probe)):
            raise UnsupportedModelError(f"the probe {plan.probe.name} can't run on {model.name}: {why}")
    forward, *further = plans
    _carry_out(forward, model, images, how)
    outputs = open_outputs(forward.folder)
    for plan in further:
        _carry_out(plan, model, images, how)
        outputs = outputs.with_extras(open_parts(plan.folder, plan.manifest))
    return outputs


def _plan(model: Classifier, images: ImageSet, probe: Probe | None, how: _How) -> _Plan:
    spec = None if probe is None else probe.spec()
    key = outputs_key(model, images, how.dtype, spec)
    manifest = read_manifest(how.root / key)
    if manifest is None or how.batch_size not in {None, manifest.batch_size}:
        columns = COLUMNS if spec is None else (spec, "indices")
        about = {
            "model": model.name,
            "images": images.spec,
            "dtype": _dtype_name(how.dtype),
            "preprocessing": dict(model.preprocessing),
        }
        about |= {} if spec is None else {"probe": spec}
        batch_size = how.batch_size or _default_batch_size(model, probe, resolve_device(how.device))
        manifest = Manifest(key, len(images), SHARD_SIZE, batch_size, about, columns)
    return _Plan(probe, how.root / key, manifest, missing_shards(how.root / key, manifest))


def _carry_out(plan: _Plan, model: Classifier, images: ImageSet, how: _How) -> None:
    """Make what is missing, so that every shard is there."""
    manifest, what = plan.manifest, "" if plan.probe is None else plan.probe.name
    if read_manifest(plan.folder) != manifest:
        write_manifest(plan.folder, manifest)
    if plan.probe is None and not _has_head(plan.folder):
        model.head.save(plan.folder / HEAD_FILE)
    done = manifest.count - sum(len(manifest.shard_range(shard)) for shard in plan.missing)
    tell = how.progress or (lambda _done, _all, _what: None)
    tell(done, manifest.count, what)
    if plan.missing:
        device = resolve_device(how.device)
        runner = Runner(model, device, DTYPES[_dtype_name(how.dtype)], _runs_at(plan, model, how, device), plan.probe)
        _run_shards(plan, images, runner, how.workers, lambda count: tell(done + count, manifest.count, what))


def _run_shards(plan: _Plan, images: ImageSet, runner: Runner, workers: int | None, tell: Callable[[int], None]) -> None:
    batches_of = {shard: _batches(plan.manifest, shard) for shard in plan.missing}
    batches = list(chain.from_iterable(batches_of.values()))
    stream = read_batches(images, runner.model.transform, batches, workers=workers, pin_memory=runner.device.type == "cuda")
    done = 0
    with runner.network_in_place():
        for shard, planned in batches_of.items():
            rows, skipped = [], []
            for positions, pixels, failures in islice(stream, len(planned)):
                skipped += [Skipped(index, images.image_name(index), reason) for index, reason in failures]
                labels = torch.from_numpy(images.labels[positions.numpy()])
                found = runner.run(pixels) if len(pixels) else runner.nothing()
                rows.append({"indices": positions, "labels": labels, **found})
                done += len(positions) + len(failures)
                tell(done)
            write_shard(plan.folder, shard, {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, skipped)


def _runs_at(plan: _Plan, model: Classifier, how: _How, device: torch.device) -> int:
    """The batch size of the manifest; of a probe with gradients that began on another device no more than this one has room for."""
    begun = plan.manifest.batch_size
    if how.batch_size is not None or plan.probe is None or not plan.probe.differentiates:
        return begun
    return min(begun, _default_batch_size(model, plan.probe, device))


def _has_head(folder: Path) -> bool:
    try:
        Head.load(folder / HEAD_FILE)
    except OutputsError:
        return False
    return True


def _batches(manifest: Manifest, shard: int) -> list[list[int]]:
    rows = list(manifest.shard_range(shard))
    return [rows[start : start + manifest.batch_size] for start in range(0, len(rows), manifest.batch_size)]


def _default_batch_size(model: Classifier, probe: Probe | None, device: torch.device) -> int:
    """64 images of 224 × 224, and as many pixels of other sizes, at most 256 images.

    An eighth of it where gradients are kept on a CPU: they take some 80 MB an image of a ResNet-50, and a machine that runs out
    of memory ends the run, while on a GPU the batch is halved and the run goes on.
    """
    _, height, width = model.input_size
    whole = min(256, 64 * 224 * 224 // (height * width))
    keeps_gradients = probe is not None and probe.differentiates and device.type == "cpu"
    return max(1, whole // 8 if keeps_gradients else whole)


def _dtype_name(dtype: Dtype | torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    name = "float32" if name == "auto" else name
    if name not in DTYPES:
        raise UsageError(f"no dtype {name!r}; choose from auto, {', '.join(DTYPES)}")
    return name
