"""The seed of each image: a function of the run's seed, the class and the image's number, and of nothing else."""

import hashlib


def seed_of(seed: int, folder: str, index: int) -> int:
    """In [0, 2⁶³), of the index-th image of the class with that folder; folder "" for images without classes.

    So any batch size, number of processes or restart draws the same images, and a class keeps its own whichever others are made.
    """
    digest = hashlib.sha256(f"{seed}\0{folder}\0{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
