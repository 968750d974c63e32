"""torchvision's data sets, ``torch:NAME[:SPLIT]``, by the names and splits of timm's dataset factory."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.arrays import ArraySet
from oodkit.images.base import ImageSet
from oodkit.images.files import FileSet
from oodkit.wording import in_short

TRAIN = ("train", "training")
EVALUATION = ("validation", "val", "valid", "eval", "evaluation", "test")
IN_MEMORY = ("cifar10", "cifar100", "mnist", "kmnist", "fashion_mnist", "qmnist")
ON_DISK = ("imagenet", "places365", "inaturalist", "image_folder")


def open_torch_set(name: str, split: str | None, root: Path | None) -> ImageSet:
    """The data set below ``root`` (or ``OODKIT_DATA``), where torchvision has put it; nothing is downloaded.

    Without a split the evaluation split. timm makes the data set; its images are then read by oodkit's own reader, because
    torchvision's ignores EXIF orientation. Raises ImageSetError for a name that timm does not know, or images that are not there.
    """
    from timm.data.dataset_factory import create_dataset

    name, split = name.lower(), split or EVALUATION[0]
    spec = f"torch:{name}:{split}"
    if name not in IN_MEMORY + ON_DISK:
        raise ImageSetError(f"no torchvision data set {name!r} in timm's factory; it has {', '.join(IN_MEMORY + ON_DISK)}")
    if name in IN_MEMORY and split not in TRAIN + EVALUATION:
        # timm takes every split that is not spelled "train" for the test split
        raise ImageSetError(f"torch:{name} has no split {split!r}; use train or test")
    folder = data_folder(root, spec)
    try:
        dataset: Any = create_dataset(f"torch/{name}", root=str(folder), split=split, download=False)
    except (RuntimeError, OSError, ValueError, AssertionError) as error:
        reason = in_short(error)
        hint = "set OODKIT_DATA, or in Python root=, to the folder it was downloaded to; or download it with torchvision.datasets"
        raise ImageSetError(f"{spec} is not in {folder} ({reason}); {hint}") from error
    if name in IN_MEMORY:
        labels = np.asarray(dataset.targets)
        images, classes = np.asarray(dataset.data), tuple(getattr(dataset, "classes", ())) or None
        return ArraySet(spec, images, labels[:, 0] if labels.ndim == 2 else labels, classes)  # QMNIST: class, writer, …
    paths, labels = _files(dataset)
    return FileSet(spec, folder, [os.path.relpath(path, folder) for path in paths], labels, _class_names(dataset))


def data_folder(root: Path | None, spec: str) -> Path:
    """``root``, else ``OODKIT_DATA``. Raises ImageSetError where neither is given."""
    folder = root or os.environ.get("OODKIT_DATA")
    if not folder:
        raise ImageSetError(f"{spec} needs the folder that the data is in: set OODKIT_DATA, or give root= in Python")
    return Path(folder)


def _files(dataset: Any) -> tuple[list[str], np.ndarray]:
    if hasattr(dataset, "all_categories"):  # iNaturalist: a category and a file name
        paths = [os.path.join(dataset.root, dataset.all_categories[category], name) for category, name in dataset.index]  # noqa: PTH118
        return paths, np.array([category for category, _ in dataset.index])
    samples = dataset.samples if hasattr(dataset, "samples") else dataset.imgs
    return [path for path, _ in samples], np.array([label for _, label in samples])


def _class_names(dataset: Any) -> tuple[str, ...] | None:
    found = (getattr(dataset, attribute, None) for attribute in ("wnids", "all_categories", "classes"))
    return next((tuple(names) for names in found if names), None)
