"""Seeds are a function of the run's seed, the class and the number, and no two images of a class are drawn alike."""

import hashlib

import pytest
import torch

from oodkit.synth.seeds import seed_of


def test_a_class_counts_on_from_the_first_32_bits_of_a_hash():
    first = int.from_bytes(hashlib.sha256(b"7\0cat").digest()[:4], "big")
    assert [seed_of(7, "cat", index) for index in (0, 3, 2**32 - 1)] == [(first + n) % 2**32 for n in (0, 3, 2**32 - 1)]


def test_seeds_are_as_large_as_a_generator_can_tell_apart():
    """A generator on a CPU drops what is above 32 bits, which seeds are to stay below."""
    five, far = (torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist() for seed in (5, 5 + 2**32))
    assert five == far
    assert all(
        0 <= seed_of(seed, folder, index) < 2**32 for seed in (0, -1, 10**30) for folder in ("", "a") for index in (0, 2**40)
    )


@pytest.mark.parametrize("folder", ["", "cat"])
def test_no_two_images_of_a_class_share_a_seed(folder):
    """Of as many numbers drawn at random two would be equal almost for sure."""
    assert len({seed_of(0, folder, index) for index in range(300_000)}) == 300_000


def test_other_classes_and_other_runs_have_other_seeds():
    seeds = {seed_of(seed, folder, index) for seed in range(3) for folder in ("", "1", "11") for index in range(120)}
    assert len(seeds) == 3 * 3 * 120
