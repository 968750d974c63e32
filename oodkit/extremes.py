"""The images that a scorer is most wrong about: OOD images scored highest, ID images scored lowest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from oodkit.metrics import Vector, share_below


class Extreme(NamedTuple):
    """One image: its row in the outputs, its score, and the share in [0, 1] of the ID test images that score lower, ties half."""

    row: int
    score: float
    below: float


@dataclass(frozen=True)
class ShownImage:
    """An extreme image as a report shows it.

    index: its position in the image set. name: what a person would look for. predicted: the class of the largest logit. label: the
    image's own class, None where it has none of the model's. below: see ``Extreme``. thumbnail: the name of its file.
    """

    index: int
    name: str
    predicted: int
    predicted_name: str | None
    label: int | None
    label_name: str | None
    score: float
    below: float
    thumbnail: str | None = None


@dataclass(frozen=True)
class Extremes:
    """What the scorer of this label is most wrong about, the most extreme first."""

    scorer: str
    accepted: Mapping[str, Sequence[ShownImage]]
    rejected: Sequence[ShownImage]


def most_accepted(id_scores: Vector, ood_scores: Vector, count: int) -> list[Extreme]:
    """The OOD images of the highest scores, at most ``count``; of equal scores the first images."""
    return _described(_first(-ood_scores, count), ood_scores, id_scores)


def most_rejected(id_scores: Vector, count: int) -> list[Extreme]:
    """The ID images of the lowest scores, at most ``count``; of equal scores the first images."""
    return _described(_first(id_scores, count), id_scores, id_scores)


def _first(keys: Vector, count: int) -> np.ndarray:
    return np.argsort(keys, kind="stable")[:count]


def _described(rows: np.ndarray, scores: Vector, id_scores: Vector) -> list[Extreme]:
    below = share_below(scores[rows], np.sort(id_scores))
    return [Extreme(int(row), float(scores[row]), float(share)) for row, share in zip(rows, below, strict=True)]
