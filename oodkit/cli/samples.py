"""Small copies of images for the report of an assessment: samples of the best and worst classes, and near-copies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from oodkit.images.base import ImageSet
from oodkit.images.thumbnails import thumbnail
from oodkit.report.document import plain
from oodkit.report.qualities import classes_worst_first, mean_above
from oodkit.synth.quality.draws import Classes
from oodkit.synth.quality.found import FLOOR, Quality

ALL_CLASSES = 10  # up to as many are shown, of more the best and the worst
EACH_END = 5

Row = dict[str, Any]


class Samples:
    """The images that a report shows, as rows of names and thumbnails; ``files`` has the thumbnails by name."""

    def __init__(self, real: ImageSet, synthetic: Mapping[str, ImageSet]) -> None:
        self.files: dict[str, bytes] = {}
        self._sets = {FLOOR: real, **synthetic}

    def of_classes(self, found: Quality, count: int) -> list[Row]:
        """Of each class that is shown, ``count`` images of the real set and of the synthetic ones by rank.

        The worst first, where that can be told.
        """
        if not count:
            return []
        real = self._sets[FLOOR]
        classes = Classes.of(real)
        labels = {FLOOR: classes.own_labels(real)}
        labels |= {one.name: classes.labels_of(self._sets[one.name])[0] for one in found.sets}
        if not classes.labelled:
            return [{"class": None, "place": None, "rows": self._rows(labels, 0, count)}]
        document = plain(found)
        every, measured = classes_worst_first(document), len(mean_above(document["sets"]))
        label_of = {name: label for label, name in enumerate(classes.names)}
        return [
            {
                "class": every[at],
                "place": measured - at if at < measured else None,
                "rows": self._rows(labels, label_of[every[at]], count),
            }
            for at in _shown(len(every), measured)
        ]

    def of_copies(self, found: Quality, count: int) -> list[Row]:
        """Of each synthetic set with near-copies, at most ``count`` of them, and the real images that they are near to."""
        shown = []
        for one in found.sets:
            copies = one.nearest.copies[:count]
            if copies:
                own = self._images(one.name, _positions(self._sets[one.name], [copy.image for copy in copies]))
                real = self._images(FLOOR, _positions(self._sets[FLOOR], [copy.real for copy in copies]))
                shown.append({"set": one.name, "rows": [{"set": one.name, "images": own}, {"set": FLOOR, "images": real}]})
        return shown

    def _rows(self, labels: Mapping[str, np.ndarray], label: int, count: int) -> list[Row]:
        own = {name: _spread(np.flatnonzero(one == label), count) for name, one in labels.items()}
        return [{"set": name, "images": self._images(name, positions)} for name, positions in own.items()]

    def _images(self, name: str, positions: Iterable[int]) -> list[Row]:
        images, shown = self._sets[name], []
        for at in map(int, positions):
            made = thumbnail(images, at)
            shown.append({"name": images.image_name(at), "thumbnail": made and made.name})
            self.files |= {made.name: made.content} if made else {}
        return shown


def without_names(found: Quality) -> Quality:
    """The same without the images' names, for images that are private."""
    sets = [replace(one, nearest=replace(one.nearest, copies=())) for one in (found.floor, *found.sets)]
    return replace(found, floor=sets[0], sets=sets[1:])


def _shown(classes: int, measured: int) -> list[int]:
    """Which are shown of the classes, of which those that are ``measured`` come first, the worst first."""
    if classes <= ALL_CLASSES:
        return list(range(classes))
    if measured <= ALL_CLASSES:
        return list(range(ALL_CLASSES))
    return [*range(EACH_END), *range(measured - EACH_END, measured)]


def _spread(positions: np.ndarray, count: int) -> np.ndarray:
    """At most so many of them, evenly spread: the first alone may be frames of one film."""
    picked = np.linspace(0, len(positions) - 1, min(count, len(positions))).round().astype(np.int64)
    return positions[picked]


def _positions(images: ImageSet, names: Sequence[str]) -> list[int]:
    """Where the images of these names stand, which are names in this very set."""
    wanted, found = set(names), dict[str, int]()
    for at in range(len(images)):
        if len(found) == len(wanted):
            break
        if (name := images.image_name(at)) in wanted:
            found.setdefault(name, at)
    return [found[name] for name in names]
