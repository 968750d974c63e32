"""Seeds are a function of the run's seed, the class and the number."""

import hashlib

from oodkit.synth.seeds import seed_of


def test_the_seed_is_the_first_63_bits_of_a_hash():
    digest = hashlib.sha256(b"7\0cat\x003").digest()
    assert seed_of(7, "cat", 3) == int.from_bytes(digest[:8], "big") // 2 < 2**63


def test_no_two_images_share_a_seed():
    seeds = {seed_of(seed, folder, index) for seed in range(3) for folder in ("", "1", "11") for index in range(120)}
    assert len(seeds) == 3 * 3 * 120
