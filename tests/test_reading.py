"""Batches of images: which reasons end a run, and which leave out an image."""

import os

import pytest
import torch
from PIL import Image

from oodkit.errors import InputError, UnreadableImageError
from oodkit.reading import REFUSED, read_batches


class Unreadable:
    """Images whose own reason reads as a transform's."""

    def transformed(self, key, transform):
        raise UnreadableImageError(f"{REFUSED}: its codec is unknown")


class Plain:
    def transformed(self, key, transform):
        return transform(Image.new("RGB", (4, 4)))


def refusing(image):
    raise ValueError("too small")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_refuses_a_whole_batch_ends_the_run(workers):
    with pytest.raises(InputError, match="a whole batch of images can't be transformed: too small; look at the transform"):
        next(read_batches(Plain(), refusing, [[0, 1], [2, 3]], workers=workers))


def test_images_that_can_not_be_read_do_not_whatever_their_reason_reads_like():
    (batch,) = read_batches(Unreadable(), lambda image: torch.zeros(3, 4, 4), [[0, 1]], workers=0)
    assert batch[2] == [(0, "can't be transformed: its codec is unknown"), (1, "can't be transformed: its codec is unknown")]


def test_more_processes_than_cores_were_asked_for_and_are_no_warning(monkeypatch, recwarn):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    made = list(read_batches(Plain(), lambda image: torch.zeros(3, 4, 4), [[0], [1], [2]], workers=2))
    assert [read for read, _, _ in made] == [[0], [1], [2]]
    assert not [str(one.message) for one in recwarn if "worker processes" in str(one.message)]
