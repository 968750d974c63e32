"""One forward pass over an image set: features and logits, in shards that survive an interruption."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from oodkit.cache import cache_root
from oodkit.classifier import Classifier, Transform, stable_repr
from oodkit.errors import OodkitError, UnreadableImageError, UsageError
from oodkit.heads import features_and_logits
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs, Skipped
from oodkit.shards import FORMAT, HEAD_FILE, Manifest, missing_shards, open_outputs, read_manifest, write_manifest, write_shard

SHARD_SIZE = 512
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Progress = Callable[[int, int], None]
Item = tuple[int, Tensor | str]  # an image's position, and the image or the reason why it can't be read


def extract(
    model: Classifier,
    images: ImageSet,
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    cache: str | Path | Literal[False] | None = None,
    progress: Progress | None = None,
) -> Outputs:
    """Features, logits and labels of every readable image, from one forward pass each.

    What was extracted before with the same weights, transform, dtype and images is read from ``cache`` (None: the user's cache
    folder; False: nothing is kept) instead of computed; an interrupted run goes on at the first unfinished shard of 512 images.

    device: "auto" (CUDA, then MPS, then CPU) or any torch device. dtype: "auto" is float32, so that results do not depend on
    the machine; "bfloat16" and "float16" run under autocast and store features in that type, logits always in float32.
    batch_size: None lets oodkit choose, and a batch that does not fit in memory is halved. workers: processes that decode, None =
    by the number of cores. progress: called with (images done, images in all).

    Labels are in the model's class order, −1 where a class is none of the model's. Images that can't be read are in ``skipped``.
    Raises ImageSetError where the labels do not fit the model, OutputsError where no image can be read.
    """
    labels, note = align_labels(images, model.class_names, model.class_ids, model.num_classes)
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
        return torch.empty(0, device=device).device
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
        model.head.save(folder / HEAD_FILE)
        write_manifest(folder, manifest)
    missing = missing_shards(folder, manifest)
    done = manifest.count - sum(len(manifest.shard_range(shard)) for shard in missing)
    if progress:
        progress(done, manifest.count)
    if missing:
        runner = _Runner(model, resolve_device(device), DTYPES[_dtype_name(dtype)], manifest.batch_size)
        plan = {shard: _batches(manifest, shard) for shard in missing}
        pin_memory = runner.device.type == "cuda"
        loader = make_loader(
            images, model.transform, list(chain.from_iterable(plan.values())), workers=workers, pin_memory=pin_memory
        )
        stream = _read(loader)
        for shard, planned in plan.items():
            rows, skipped = [], []
            for positions, pixels, failures in islice(stream, len(planned)):
                skipped += [Skipped(index, images.image_name(index), reason) for index, reason in failures]
                rows.append(
                    {"indices": positions, "labels": torch.from_numpy(images.labels[positions.numpy()]), **runner.run(pixels)}
                )
                done += len(positions) + len(failures)
                if progress:
                    progress(done, manifest.count)
            write_shard(folder, shard, {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, skipped)
    return open_outputs(folder)


class _Runner:
    """The forward pass: one device, one precision, a batch size that shrinks when memory runs out."""

    def __init__(self, model: Classifier, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self.net = model.net.to(device).to(memory_format=torch.channels_last).eval()
        self.head = model.head.to(device)

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


class _Reader(Dataset[Item]):
    def __init__(self, images: ImageSet, transform: Transform) -> None:
        self.images, self.transform = images, transform

    def __getitem__(self, index: int) -> Item:
        try:
            image = self.images.load(index)
        except UnreadableImageError as error:
            return index, str(error)
        try:
            return index, self.transform(image)
        except Exception as error:  # noqa: BLE001 (one odd image, a pixel wide or a mile long, must not end the run)
            return index, f"can't be transformed: {' '.join(str(error).split()) or type(error).__name__}"


def _read(loader: DataLoader[Any]) -> Iterator["Batch"]:
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        remedy = "what is done is kept; run again with fewer --workers, or with --workers 0"
        raise OodkitError(f"a process that decodes images died, perhaps for want of memory; {remedy}") from error


Batch = tuple[Tensor, Tensor, list[tuple[int, str]]]  # positions (n,), pixels (n, 3, H, W), and what could not be read


def _collate(items: list[Item]) -> Batch:
    read = [(index, item) for index, item in items if isinstance(item, Tensor)]
    failed = [(index, item) for index, item in items if isinstance(item, str)]
    pixels = torch.stack([pixels for _, pixels in read]) if read else torch.empty(0)
    return torch.tensor([index for index, _ in read], dtype=torch.int64), pixels, failed


def make_loader(
    images: ImageSet, transform: Transform, batches: list[list[int]], *, workers: int | None = None, pin_memory: bool = False
) -> DataLoader[Any]:
    """``Batch`` after ``Batch`` of images by position, decoded and transformed in worker processes while the network computes."""
    workers = min(8, os.cpu_count() or 1) if workers is None else workers
    workers = min(workers, len(batches) - 1)
    return DataLoader(
        _Reader(images, transform),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
    )


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


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error) or "can't allocate memory" in str(error)
