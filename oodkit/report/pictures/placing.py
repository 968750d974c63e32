"""Where names go beside their marks, so that no name covers a mark or another name."""

from collections.abc import Sequence
from itertools import product
from math import dist

from oodkit.report.pictures.svg import SMALL

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top
LETTER = 0.56 * SMALL  # points: a letter's width, of most fonts a little more than it needs
HIGH = 1.25 * SMALL
MARK = 4.5  # points about a mark's centre
RINGS = (9, 16, 25, 36, 50, 66)  # points from the mark to the name
TOWARDS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (1, 2), (-1, 2), (1, -2), (-1, -2))


def boxes_of(names: Sequence[str], marks: Sequence[Point], others: Sequence[Point], width: float, height: float) -> list[Box]:
    """A box for each name about its mark, as near as there is room within width × height points, one after the other.

    others: what must stay free too. Where there is no room at all, the box that covers least.
    """
    taken = [_about(mark) for mark in (*marks, *others)]
    found: list[Box] = []
    for name, mark in zip(names, marks, strict=True):
        every = [_box(mark, LETTER * len(name), ring, towards) for ring, towards in product(RINGS, TOWARDS)]
        inside = [box for box in every if box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height] or every
        # the first of several as good
        best = min(inside, key=lambda box: (sum(_shared(box, other) for other in taken), _is_of_another(box, mark, marks)))
        found.append(best)
        taken.append(best)
    return found


def _is_of_another(box: Box, mark: Point, marks: Sequence[Point]) -> bool:
    """Whether a name there would be read as that of another mark, which is as near."""
    own = dist(nearest(box, mark), mark)
    return any(dist(nearest(box, other), other) <= own for other in marks if other != mark)


def is_far(box: Box, mark: Point) -> bool:
    """Whether a name lies so far from its mark that a line must lead there."""
    return dist(nearest(box, mark), mark) > RINGS[0] + 1


def nearest(box: Box, mark: Point) -> Point:
    """The point of the box that is nearest to the mark."""
    return min(max(mark[0], box[0]), box[2]), min(max(mark[1], box[1]), box[3])


def _box(mark: Point, wide: float, ring: float, towards: Point) -> Box:
    right, up = towards
    steep = abs(up) / max(abs(right), abs(up))
    x, y = mark[0] + ring * (right if abs(up) < 2 else right / 2), mark[1] + ring * (up / max(abs(up), 1)) * steep
    left = x if right > 0 else x - wide if right < 0 else x - wide / 2
    bottom = y if up > 0 else y - HIGH if up < 0 else y - HIGH / 2
    return left, bottom, left + wide, bottom + HIGH


def _about(mark: Point) -> Box:
    return mark[0] - MARK, mark[1] - MARK, mark[0] + MARK, mark[1] + MARK


def _shared(one: Box, other: Box) -> float:
    """The area that both cover, in square points."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
