"""The order in which images are made is balanced, only grows at its end, and falls to processes without a gap."""

import pytest

from oodkit.synth.base import ImageClass
from oodkit.synth.seeds import seed_of
from oodkit.synth.work import Work

CLASSES = tuple(ImageClass(name, name) for name in ("a", "b", "c"))


def order(work: Work) -> list[tuple[str, int]]:
    return [(one.of.folder, one.index) for one in map(work.request, range(len(work))) if one.of]


def test_the_first_image_of_each_class_comes_before_the_second_of_any() -> None:
    assert order(Work(CLASSES, [2, 2, 2], 0)) == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("c", 1)]


def test_more_images_a_class_only_add_to_the_end() -> None:
    fewer, more = (order(Work(CLASSES, [each] * 3, 0)) for each in (4, 6))
    assert more[: len(fewer)] == fewer


def test_classes_of_which_there_are_fewer_are_left_out_from_there_on() -> None:
    work = Work(CLASSES, [1, 3, 0], 0)
    assert order(work) == [("a", 0), ("b", 0), ("b", 1), ("b", 2)]
    assert [work.number(1, index) for index in range(4)] == [1, 2, 3, None]
    assert work.number(2, 0) is None
    assert work.number(-1, 0) is None
    assert work.number(0, -1) is None


def test_a_number_leads_to_its_class_and_index_and_back() -> None:
    work = Work(CLASSES, [3, 1, 2], 0)
    assert [work.number(CLASSES.index(one.of), one.index) for one in map(work.request, range(6))] == list(range(6))


def test_one_class_of_many_takes_no_memory_for_the_others() -> None:
    """10⁵ classes times 10⁶ images would be 10¹¹ places, of which 1.1 million are taken."""
    work = Work(None, [10**6] + [1] * 10**5, 0)
    assert len(work) == 1_100_000
    places = {(0, 0): 0, (10**5, 0): 10**5, (0, 1): 10**5 + 1, (0, 10**6 - 1): 1_099_999}
    assert {place: work.number(*place) for place in places} == places


def test_an_image_s_seed_is_of_its_class_and_index_alone() -> None:
    assert Work(CLASSES[1:], [5, 5], 3).request(2).seed == seed_of(3, "b", 1) == Work(CLASSES, [2, 2, 2], 3).request(4).seed


def test_without_classes_images_are_numbered_through() -> None:
    work = Work(None, [4], 7)
    assert [(one.of, one.index, one.seed) for one in map(work.request, range(4))] == [
        (None, i, seed_of(7, "", i)) for i in range(4)
    ]
    assert work.number(0, 3) == 3


@pytest.mark.parametrize("world", [1, 2, 3, 9])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_processes_share_all_batches_without_overlap(size: int, world: int) -> None:
    work = Work(CLASSES, [5, 5, 3], 0)
    shares = [work.batches(size, rank=rank, world=world) for rank in range(world)]
    assert sorted((one.start, one.stop) for share in shares for one in share) == [
        (start, min(start + size, 13)) for start in range(0, 13, size)
    ]
