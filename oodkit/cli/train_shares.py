"""The shares of the training images that ``oodkit augdelete`` refits on, and what scorers learn from beside them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from oodkit.classifier import Classifier
from oodkit.cli.extracting import extract_set
from oodkit.cli.inputs import Drawn, Running, Sets
from oodkit.errors import UsageError
from oodkit.extraction import extracted
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.images.limited import taken
from oodkit.images.views import ViewSet
from oodkit.outputs import Outputs
from oodkit.report.repairs import share_name
from oodkit.stats import stratified_rows

FEW = 50  # images of a class: 18 of each made demo:digits-v2 worse by 1 point of AUROC, and all 90 made it better by 0.4


@dataclass(frozen=True)
class TrainShares:
    """Shares of the training images.

    rows: by share, ascending, its positions in ``whole``, ascending; those of a smaller one are among those of a larger one.
    """

    whole: ImageSet
    rows: Mapping[float, np.ndarray]

    @classmethod
    def drawn(cls, whole: ImageSet, model: Classifier, fracs: Sequence[float], seed: int) -> "TrainShares":
        """Class by class. Raises UsageError where two shares come to the same images."""
        labels, _ = align_labels(whole, model.class_names, model.class_ids, model.num_classes)
        rows = {frac: stratified_rows(torch.from_numpy(labels), frac, seed).numpy() for frac in fracs}
        for (less, few), (more, many) in pairwise(rows.items()):
            if len(few) == len(many):
                raise UsageError(
                    f"the shares {less} and {more} of {len(whole)} training images come to the same {len(few)}: give one of them"
                )
        return cls(whole, rows)

    @property
    def largest(self) -> np.ndarray:
        """The positions of the largest share."""
        return self.rows[max(self.rows)]

    def learnt_from(self, sets: Sets, models: Collection[Classifier], running: Running) -> Sets:
        """The sets with what scorers learn from: all training images where the cache holds them for every model.

        Else the largest share, which alone is forwarded.
        """
        count = f"{len(self.largest)} of the {len(self.whole)} training images, drawn class by class"
        if len(self.largest) == len(self.whole):
            return sets
        if all(extracted(one, self.whole, dtype=running.dtype, cache=running.cache) is not None for one in models):
            note = f"the last layer is refitted on {count}; scorers learn from all, which the cache holds"
            return replace(sets, notes=_with_note(sets, note))
        drawn = Drawn(self.whole, self.largest)
        return replace(sets, fit=taken(self.whole, self.largest), drawn=drawn, notes=_with_note(sets, count))

    def outputs(self, model: Classifier, sets: Sets, learnt: Outputs, views: int, running: Running, seed: int) -> Outputs:
        """Of the largest share as it is evaluated, or of so many augmented views of it. learnt: what scorers learn from."""
        if views:
            return self.extract_views(model, views, running, seed)
        return learnt if sets.drawn else learnt.of_images(torch.from_numpy(self.largest))

    def extract_views(self, model: Classifier, views: int, running: Running, seed: int) -> Outputs:
        """Of so many augmented views, one or more, of the largest share."""
        images = ViewSet(taken(self.whole, self.largest), views, seed)
        return extract_set(model, f"{views} views of fit", images, running, labelled=True)

    def positions(self, frac: float, views: int) -> torch.Tensor:
        """Of a share's images, each so many times, in ``outputs``."""
        places = np.searchsorted(self.largest, self.rows[frac])
        return torch.from_numpy((views * places[:, None] + np.arange(views)).reshape(-1))

    def notes(self) -> list[str]:
        """Where a share is more than was asked for, having an image of each class at least; and where the largest is small."""
        each = len(self.largest) / len(np.unique(self.whole.labels))
        counts = {frac: (round(frac * len(self.whole)), len(own)) for frac, own in self.rows.items()}
        more = [
            f"{share_name(frac)} of the {len(self.whole)} training images are {few}: {many} were taken, at least one of each class"
            for frac, (few, many) in counts.items()
            if many > few
        ]
        if each >= FEW or len(self.largest) == len(self.whole):
            return more
        return [*more, f"{each:.3g} images a class are few to refit a last layer on; --frac 1 takes all {len(self.whole)}"]


def _with_note(sets: Sets, note: str) -> dict[str, Sequence[str]]:
    return {**sets.notes, "fit": [*sets.notes.get("fit", ()), note]}
