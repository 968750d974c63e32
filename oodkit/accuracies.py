"""Which images a model classified correctly, and the accuracies of two models on the same images."""

import math

import numpy as np
from numpy.typing import NDArray

from oodkit.delong import Comparison
from oodkit.errors import UsageError
from oodkit.metrics import NORMAL_975, Scores

WRONG, RIGHT, UNLABELLED = 0, 1, 2

Marks = NDArray[np.uint8]


def marks_of(predictions: Scores, labels: Scores) -> Marks:
    """(N,) of each image 1 where it is classified correctly, 0 where it is not, 2 where it has no label (label < 0)."""
    predicted, true = np.asarray(predictions), np.asarray(labels)
    return np.where(true < 0, UNLABELLED, predicted == true).astype(np.uint8)


def compare_accuracies(first: Marks, second: Marks) -> Comparison:
    """First accuracy minus second on the same images, with its interval and the p-value of McNemar's exact test.

    first, second: (N,) marks, the n-th of both of one image. Images that lack a label on either side do not count. With b images
    that the first alone has right, c that the second alone has right, and n in all, the interval is Wald's of
    (b + 1)/(n + 2) − (c + 1)/(n + 2) with the standard error √((p + q − (p − q)²)/(n + 2)) of these two shares (Bonett and Price,
    Journal of Educational and Behavioral Statistics 2012, 37:479–488; recommended by Fagerland, Lydersen and Laake, Statistics in
    Medicine 2014, 33:2850–2875). It has a width even where b = c = 0: other images may still tell the two apart.
    Raises UsageError where the numbers of images differ, and where no image has a label.
    """
    if first.shape != second.shape:
        raise UsageError(f"accuracies are compared on the same images, got {len(first)} and {len(second)}; give both the same")
    known = (first != UNLABELLED) & (second != UNLABELLED)
    if not (images := int(known.sum())):
        raise UsageError("accuracies need labelled images, got none; give images with labels")
    won = int((known & (first == RIGHT) & (second == WRONG)).sum())
    lost = int((known & (first == WRONG) & (second == RIGHT)).sum())
    p, q = (won + 1) / (images + 2), (lost + 1) / (images + 2)
    reach = NORMAL_975 * math.sqrt((p + q - (p - q) ** 2) / (images + 2))
    return Comparison((won - lost) / images, max(p - q - reach, -1.0), min(p - q + reach, 1.0), mcnemar(won, lost))


def mcnemar(won: int, lost: int) -> float:
    """McNemar's exact p-value, two-sided: of ``won`` + ``lost`` fair coins twice P(at most min(won, lost) heads), at most 1.

    McNemar, Psychometrika 1947, 12:153–157; only the images that the two models tell apart count.
    """
    coins, drawn = won + lost, np.arange(min(won, lost))
    logs = np.concatenate([[0.0], np.cumsum(np.log((coins - drawn) / (drawn + 1)))]) - coins * math.log(2)
    return min(1.0, 2 * float(np.exp(logs).sum()))
