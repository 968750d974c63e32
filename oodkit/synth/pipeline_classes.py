"""Which classes a class-conditional diffusers pipeline makes: by its labels, or by their number."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from oodkit.synth.base import ImageClass
from oodkit.synth.classes import imagenet_classes, numbered_classes

COUNTS = ("num_embeds_ada_norm", "num_class_embeds", "num_classes")  # as the networks of diffusers, and those after them, name it
SAME_LABELS = 0.9  # share of classes whose names must be ImageNet's: lists of ImageNet's names differ in some


def classes_of(pipe: Any, index: Mapping[str, Any], given: int | None) -> tuple[tuple[ImageClass, ...], str] | None:
    """The classes, label = the pipeline's own number, and on what grounds they are these; None where nothing tells how many.

    ImageNet's where there are 1,000 (or 1,001, the last for none of them) and the pipeline's labels, if it has any, agree. Else its
    own labels, or numbers. given: how many there are.
    """
    labels = _labels(pipe, index)
    count = given or len(labels) or _count(pipe)
    if count is None:
        return None
    if count in {1000, 1001}:
        imagenet = imagenet_classes()
        if not labels:
            return imagenet, "ImageNet-1k, by their number"
        if _agreement(labels, imagenet) >= SAME_LABELS:
            return imagenet, "ImageNet-1k, by the pipeline's labels"
    how = "the pipeline's labels" if labels else "numbered"
    return numbered_classes([labels.get(number, str(number)) for number in range(count)]), how


def _labels(pipe: Any, index: Mapping[str, Any]) -> dict[int, str]:
    """The pipeline's own names of its classes, by number; empty where it has none."""
    found = index.get("id2label") or getattr(pipe, "id2label", None)
    if not isinstance(found, Mapping) or not all(str(number).isdecimal() for number in found):
        return {}
    return {int(number): " ".join(str(label).split()) for number, label in found.items()}


def _count(pipe: Any) -> int | None:
    for part in pipe.components.values():
        for name in COUNTS if isinstance(part, nn.Module) else ():
            if isinstance(count := getattr(getattr(part, "config", None), name, None), int):
                return count
    return None


def _agreement(labels: Mapping[int, str], imagenet: tuple[ImageClass, ...]) -> float:
    """The share of ImageNet's classes that share a synonym with the pipeline's label of the same number."""
    return sum(bool(_synonyms(one.name) & _synonyms(labels.get(one.label, ""))) for one in imagenet) / len(imagenet)


def _synonyms(name: str) -> set[str]:
    return {one.strip().lower() for one in name.split(",") if one.strip()}
