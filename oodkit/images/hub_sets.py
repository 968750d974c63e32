"""Hugging Face data sets, ``hf:NAME[/CONFIG][:SPLIT]``."""

import hashlib
import io
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet, checked_labels
from oodkit.images.decode import decode
from oodkit.wording import in_short

SPLITS = ("validation", "test", "train")


class HubSet(ImageSet):
    """Rows of a ``datasets.Dataset`` whose column ``image_key`` holds undecoded images."""

    def __init__(self, spec: str, rows: Any, image_key: str, label_key: str | None) -> None:
        self.spec, self._rows, self._image_key = spec, rows, image_key
        self.labels = np.full(len(rows), -1)
        if label_key is not None:
            labels = rows.data.column(label_key).to_numpy()
            whole = np.where(np.isnan(labels.astype(np.float64)), -1, labels).astype(np.int64)
            self.labels = checked_labels(whole, len(rows), spec)
            self.class_names = tuple(getattr(rows.features[label_key], "names", None) or ()) or None

    def source(self, index: int) -> str | io.BytesIO:
        image = self._rows[index][self._image_key] or {}
        content = image.get("bytes")
        return io.BytesIO(content) if content is not None else image.get("path") or io.BytesIO()

    def stored_size(self, index: int) -> int:
        content, path = self._sizes_and_paths
        if (size := content[index].as_py()) is not None:
            return int(size)
        source = path[index].as_py()
        return os.stat(source).st_size if source and os.path.exists(source) else -1  # noqa: PTH110, PTH116

    @cached_property
    def _sizes_and_paths(self) -> tuple[Any, Any]:
        """Two Arrow columns: how long the bytes of each image are, from where they lie and not from the bytes, and the paths."""
        import pyarrow.compute as arrow

        column = self._rows.data.column(self._image_key)
        return arrow.binary_length(arrow.struct_field(column, "bytes")), arrow.struct_field(column, "path")

    def load(self, index: int) -> Image.Image:
        return decode(self.source(index))

    def image_name(self, index: int) -> str:
        return str(range(len(self))[index])

    def fingerprint(self) -> str:
        """A hash of the labels and of the cached files that hold the images: path, size and time of change."""
        digest = hashlib.blake2b(self.labels.tobytes(), digest_size=16)
        digest.update(self.spec.encode())
        for file in self._rows.cache_files:
            facts = os.stat(file["filename"])  # noqa: PTH116
            digest.update(f"{file['filename']} {facts.st_size} {facts.st_mtime_ns}".encode())
        return digest.hexdigest()


def open_hub_set(name: str, split: str | None, root: Path | None) -> HubSet:
    """``OWNER/NAME`` or ``OWNER/NAME/CONFIG`` on the Hub, or a local folder that starts with ``/`` or ``.``.

    ``root`` is the cache folder, as in timm's factory; without it Hugging Face's own. Without a split the first of validation, test
    and train that there is. timm's factory takes no config, and puts the next image in the place of one that can't be read, so
    ``datasets`` itself opens the data set. Raises ImageSetError where it can't be had, or holds no column of images.
    """
    try:
        import datasets
    except ImportError as error:
        raise ImageSetError(f"hf:{name} needs the package datasets: pip install 'oodkit[hf]'") from error
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    path, config = _path_and_config(name)
    cache = None if root is None else str(root)
    try:
        splits = datasets.get_dataset_split_names(path, config) if split is None else [split]
        split = next((known for known in SPLITS if known in splits), splits[0])
        rows = datasets.load_dataset(path, config, split=split, cache_dir=cache)
    except Exception as error:  # Hub, network, parsing and file system all have errors of their own
        reason = in_short(error)
        message = f"can't open hf:{name}: {reason}; check the name, config and split, or download it where there is a network"
        raise ImageSetError(message) from error
    image_key = next((key for key, kind in rows.features.items() if isinstance(kind, datasets.Image)), None)
    if image_key is None:
        raise ImageSetError(f"hf:{name} has no column of images; its columns are {', '.join(rows.features)}")
    rows = rows.cast_column(image_key, datasets.Image(decode=False))
    return HubSet(f"hf:{name}:{split}", rows, image_key, _label_key(rows.features))


def _path_and_config(name: str) -> tuple[str, str | None]:
    if name.startswith(("/", ".")):
        return name, None
    owner_and_name, config = name.split("/")[:2], "/".join(name.split("/")[2:])
    return "/".join(owner_and_name), config or None


def _label_key(features: Any) -> str | None:
    """The column "label" where it holds classes or integers, else the first column of classes."""
    classes = [key for key, kind in features.items() if hasattr(kind, "names")]
    integer = "label" in features and str(getattr(features["label"], "dtype", "")).startswith(("int", "uint"))
    return "label" if "label" in classes or integer else next(iter(classes), None)
