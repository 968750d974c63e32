"""The seed of each image: a function of the run's seed, the class and the image's number, and of nothing else."""

import hashlib
from functools import lru_cache

SEEDS = 2**32  # PyTorch's generator on a CPU takes the low 32 bits of a seed: larger ones would draw images that are there already


def seed_of(seed: int, folder: str, index: int) -> int:
    """In [0, 2³²), of the index-th image of the class with that folder; folder "" for images without classes.

    So any batch size, number of processes or restart draws the same images, and a class keeps its own whichever others are made.
    The images of a class count on from a number of its own, as numbers drawn anew would meet: of 100,000 in 2³² one pair does.
    """
    return (_first(seed, folder) + index) % SEEDS


@lru_cache(maxsize=4096)
def _first(seed: int, folder: str) -> int:
    """The first four bytes of a hash."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{folder}".encode(errors="surrogatepass")).digest()[:4], "big")
