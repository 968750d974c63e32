"""Names beside their marks: off each other and off the marks, inside the plot, and near."""

from itertools import combinations

import numpy as np
import pytest

from oodkit.report.pictures.placing import MARK, Box, boxes_of, is_far, nearest

NAMES = ["v1", "label-smoothing", "mixup:alpha=0.2", "cutmix", "trivial-augment", "random-erasing", "regmixup", "augrevise"]
WIDTH, HEIGHT = 274, 260


def overlap(one: Box, other: Box) -> bool:
    return min(one[2], other[2]) - max(one[0], other[0]) > 1e-9 and min(one[3], other[3]) - max(one[1], other[1]) > 1e-9


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("spread", [15, 60])
def test_eight_names_never_lie_on_each_other_or_on_a_mark(seed: int, spread: float) -> None:
    """Of marks anywhere, and of marks that crowd in the middle."""
    rng = np.random.default_rng(seed)
    marks = [(float(x), float(y)) for x, y in np.clip(rng.normal((137, 130), spread, (8, 2)), 10, 250)]
    boxes = boxes_of(NAMES, marks, [], WIDTH, HEIGHT)
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    around = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in marks]
    assert not [box for box in boxes for mark in around if overlap(box, mark)]
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT for box in boxes)


def test_a_name_stands_right_of_its_mark_where_there_is_room_and_left_at_the_edge() -> None:
    (middle,) = boxes_of(["name"], [(100, 100)], [], WIDTH, HEIGHT)
    (edge,) = boxes_of(["name"], [(270, 100)], [], WIDTH, HEIGHT)
    assert middle[0] == 109
    assert edge[2] == 261
    assert not is_far(middle, (100, 100))


def test_a_name_is_nearer_to_its_own_mark_than_to_another() -> None:
    """Of two marks that all but lie on each other the left one's name goes left."""
    marks = [(100.0, 100.0), (106.0, 101.0)]
    left, right = boxes_of(["left", "right"], marks, [], WIDTH, HEIGHT)
    assert left[2] < 100
    assert right[0] > 106


def test_what_must_stay_free_does() -> None:
    (box,) = boxes_of(["name"], [(100, 100)], [(115, 100)], WIDTH, HEIGHT)
    assert not overlap(box, (115 - MARK, 100 - MARK, 115 + MARK, 100 + MARK))


def test_a_name_that_is_wider_than_the_plot_is_placed_all_the_same() -> None:
    assert len(boxes_of(["x" * 200], [(100, 100)], [], WIDTH, HEIGHT)) == 1


def test_a_line_leads_from_the_mark_to_the_nearest_point_of_a_far_name() -> None:
    box = (120.0, 90.0, 160.0, 110.0)
    assert nearest(box, (100, 100)) == (120, 100)
    assert nearest(box, (100, 80)) == (120, 90)
    assert is_far(box, (100, 100))
    assert not is_far(box, (112, 100))
