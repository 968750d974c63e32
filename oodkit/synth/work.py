"""All images of a synthesis in the order in which they are made, and what number each has in it."""

from collections.abc import Sequence

import numpy as np

from oodkit.synth.base import ImageClass, Request
from oodkit.synth.seeds import seed_of


class Work:
    """The first image of each class, then the second of each, and so on: what is there when it stops early is balanced, and more
    images a class only add to the end.

    classes: None where images have none. there: how many are made of each class, one number where there are no classes.
    """

    def __init__(self, classes: Sequence[ImageClass] | None, there: Sequence[int], seed: int) -> None:
        self.classes, self.seed = None if classes is None else tuple(classes), seed
        # by class how many and where they begin; by number the index and the class; by class and index the number
        self._there = np.asarray(there, np.int64)
        self._starts = np.cumsum(self._there) - self._there
        of = np.repeat(np.arange(len(there)), self._there)
        index = np.arange(len(of)) - self._starts[of]
        order = np.lexsort((of, index))
        self._index, self._class, self._number = index[order].astype(np.int32), of[order].astype(np.int32), np.argsort(order)

    def __len__(self) -> int:
        return len(self._index)

    def request(self, number: int) -> Request:
        """What a generator is asked for."""
        of = None if self.classes is None else self.classes[self._class[number]]
        index = int(self._index[number])
        return Request(of, index, seed_of(self.seed, "" if of is None else of.folder, index))

    def number(self, of: int, index: int) -> int | None:
        """Where in the order the index-th image of a class stands; None where it is not asked for."""
        if not (0 <= of < len(self._there) and 0 <= index < self._there[of]):
            return None
        return int(self._number[self._starts[of] + index])

    def batches(self, size: int, *, rank: int = 0, world: int = 1) -> list[range]:
        """Every world-th batch, from the rank-th on. They are the same whatever is there already: an image can depend, at least in
        its last bits, on those that it is made with.
        """
        return [range(start, min(start + size, len(self))) for start in range(rank * size, len(self), world * size)]
