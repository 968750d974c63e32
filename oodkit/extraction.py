"""One forward pass over an image set: features and logits, in shards that survive an interruption."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from oodkit.cache import cache_root
from oodkit.classifier import Classifier
from oodkit.code_identity import stable_repr
from oodkit.errors import OodkitError, OutputsError, UsageError
from oodkit.head import Head
from oodkit.heads import features_and_logits
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs, Skipped
from oodkit.reading import read_batches
from oodkit.shards import FORMAT, HEAD_FILE, Manifest, missing_shards, open_outputs, read_manifest, write_manifest, write_shard

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
    progress: Progress | None = None,
) -> Outputs:
    """Features, logits and labels of every readable image, from one forward pass each.

    What was extracted before with the same weights, transform, dtype and images is read from ``cache`` (None: the user's cache
    folder; False: nothing is kept) instead of computed; an interrupted run goes on at the first unfinished shard of 512 images.

    device: "auto" (CUDA, then MPS, then CPU) or any torch device. dtype: "auto" is float32, so that results do not depend on
    the machine; "bfloat16" and "float16" run under autocast and store features in that type, logits always in float32.
    batch_size: None lets oodkit choose, and a batch that does not fit in memory is halved. workers: processes that decode, None =
    by the number of cores. progress: called with (images done, images in all).

    Labels are in the model's class order, −1 where a class is none of the model's; with ``labelled=False``, for OOD images, all
    are −1 whatever the set says. Images that can't be read are in ``skipped``. The network comes back on the device and in the
    mode that it was in. A run that goes on with another batch size or device may differ in the last bits from one that did not.
    Raises ImageSetError where the labels do not fit the model, OutputsError where no image can be read.
    """
    if labelled:
        labels, note = align_labels(images, model.class_names, model.class_ids, model.num_classes)
    else:
        labels, note = np.full(len(images), -1), None
    if cache is False:
        with TemporaryDirectory() as folder:
            outputs = _extract_into(Path(folder), model, images, device, dtype, batch_size, workers, progress)
            outputs = outputs.subset(torch.arange(len(outputs)))
    else:
        root = cache_root() if cache is None else Path(cache)
        outputs = _extract_into(root, model, images, device, dtype, batch_size, workers, progress)
    outputs = outputs.with_labels(torch.from_numpy(labels)[outputs.indices])
    outputs.notes = (note,) if note else ()
    return outputs


def outputs_key(model: Classifier, images: ImageSet, dtype: Dtype = "auto") -> str:
    """The cache key: a hash of weights, transform, dtype and image list; never of a name."""
    parts = [
        FORMAT,
        model.fingerprint(),
        stable_repr(model.transform),
        dict(model.preprocessing),
        _dtype_name(dtype),
        images.fingerprint(),
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


def _extract_into(
    root: Path,
    model: Classifier,
    images: ImageSet,
    device: str,
    dtype: Dtype,
    batch_size: int | None,
    workers: int | None,
    progress: Progress | None,
) -> Outputs:
    key = outputs_key(model, images, dtype)
    folder = root / key
    manifest = read_manifest(folder)
    if manifest is None or batch_size not in {None, manifest.batch_size}:
        about = {
            "model": model.name,
            "images": images.spec,
            "dtype": _dtype_name(dtype),
            "preprocessing": dict(model.preprocessing),
        }
        manifest = Manifest(key, len(images), SHARD_SIZE, batch_size or _default_batch_size(model), about)
        write_manifest(folder, manifest)
    if not _has_head(folder):
        model.head.save(folder / HEAD_FILE)
    missing = missing_shards(folder, manifest)
    done = manifest.count - sum(len(manifest.shard_range(shard)) for shard in missing)
    if progress:
        progress(done, manifest.count)
    if missing:
        runner = _Runner(model, resolve_device(device), DTYPES[_dtype_name(dtype)], manifest.batch_size)
        plan = {shard: _batches(manifest, shard) for shard in missing}
        batches = list(chain.from_iterable(plan.values()))
        stream = read_batches(images, model.transform, batches, workers=workers, pin_memory=runner.device.type == "cuda")
        with runner.network_in_place():
            for shard, planned in plan.items():
                rows, skipped = [], []
                for positions, pixels, failures in islice(stream, len(planned)):
                    skipped += [Skipped(index, images.image_name(index), reason) for index, reason in failures]
                    labels = torch.from_numpy(images.labels[positions.numpy()])
                    rows.append({"indices": positions, "labels": labels, **runner.run(pixels)})
                    done += len(positions) + len(failures)
                    if progress:
                        progress(done, manifest.count)
                write_shard(folder, shard, {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, skipped)
    return open_outputs(folder)


def _has_head(folder: Path) -> bool:
    try:
        Head.load(folder / HEAD_FILE)
    except OutputsError:
        return False
    return True


class _Runner:
    """The forward pass: one device, one precision, a batch size that shrinks when memory runs out."""

    def __init__(self, model: Classifier, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self.net = model.net
        self.head = model.head.to(device)

    @contextmanager
    def network_in_place(self) -> Iterator[None]:
        """While open, the network is on the device, channels last and in evaluation mode; afterwards as it was."""
        before, training = _device_of(self.net), self.net.training
        self.net.to(self.device).to(memory_format=torch.channels_last).eval()
        try:
            yield
        finally:
            self.net.to(before).to(memory_format=torch.contiguous_format).train(training)

    @torch.no_grad()
    def run(self, pixels: Tensor) -> dict[str, Tensor]:
        """Features (n, D) in the runner's dtype and logits (n, C) in float32, on the CPU."""
        if not len(pixels):
            shape = (0, self.head.num_features), (0, self.head.num_classes)
            return {"features": torch.empty(shape[0], dtype=self.dtype), "logits": torch.empty(shape[1])}
        while True:
            try:
                pieces = [self._forward(piece) for piece in torch.split(pixels, self.batch_size)]
                return {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    remedy = "use a smaller model, --dtype float16 or --device cpu"
                    raise OodkitError(f"not even one image fits in the memory of {self.device}; {remedy}") from error
                self.batch_size //= 2
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()

    def _forward(self, pixels: Tensor) -> dict[str, Tensor]:
        pixels = pixels.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        half = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype) if half else nullcontext():
            features, _ = features_and_logits(self.net, self.head, pixels)
        features = features.to(self.dtype)
        logits = self.head(features.float())
        if not bool(torch.isfinite(logits).all()):
            hint = "use --dtype float32 or bfloat16" if half else "the weights may be damaged"
            raise OodkitError(f"the network gives logits that are not finite in {_dtype_name(self.dtype)}; {hint}")
        return {"features": features.cpu(), "logits": logits.cpu()}


def _batches(manifest: Manifest, shard: int) -> list[list[int]]:
    rows = list(manifest.shard_range(shard))
    return [rows[start : start + manifest.batch_size] for start in range(0, len(rows), manifest.batch_size)]


def _default_batch_size(model: Classifier) -> int:
    """64 images of 224 × 224, and as many pixels of other sizes, at most 256 images."""
    _, height, width = model.input_size
    return max(1, min(256, 64 * 224 * 224 // (height * width)))


def _dtype_name(dtype: Dtype | torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    name = "float32" if name == "auto" else name
    if name not in DTYPES:
        raise UsageError(f"no dtype {name!r}; choose from auto, {', '.join(DTYPES)}")
    return name


def _device_of(net: nn.Module) -> torch.device:
    return next((tensor.device for tensor in chain(net.parameters(), net.buffers())), torch.device("cpu"))


def _is_out_of_memory(error: Exception) -> bool:
    signs = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)
