"""Generators as a user writes them, for ``--model py:makers.py:NAME``; milliseconds an image."""

from pathlib import Path

SOURCE = '''"""Images of noise, by each seed; of cats the darkest."""

import os
import signal

import numpy as np


def noise(classes, seeds, brightness=0):
    dark = {"cat": 0, "dog": 60, "fox": 120}
    names = classes or ["fox"] * len(seeds)
    drawn = [np.random.default_rng(seed).integers(0, 60, (8, 8, 3)) for seed in seeds]
    return np.stack([one + dark.get(name, 0) + brightness for one, name in zip(drawn, names)]).astype(np.uint8)


noise.classes, noise.size, noise.licence, noise.batch_size = ("cat", "dog", "fox"), 8, "CC0", 4


def anything(classes, seeds):
    return noise(classes, seeds)


def flat(classes, seeds):
    return noise(None, seeds)


flat.conditional = False


def stopped(classes, seeds, after=1):
    stopped.calls += 1
    if stopped.calls > after:
        raise KeyboardInterrupt
    return noise(classes, seeds)


stopped.calls = 0
stopped.classes, stopped.size, stopped.batch_size = noise.classes, 8, 4


def terminated(classes, seeds):
    os.kill(os.getpid(), signal.SIGTERM)
    return noise(classes, seeds)


terminated.classes = noise.classes


def broken(classes, seeds):
    return noise(classes, seeds)[:, :4].astype(float)


broken.classes = noise.classes


def hostile(classes, seeds):
    return noise(classes, seeds)


hostile.classes, hostile.licence = ("cat\\x1b[31m", "dog"), "free\\x1b[2J"
'''


def write_makers(folder: Path) -> None:
    """``makers.py`` in the folder."""
    (folder / "makers.py").write_text(SOURCE, "utf-8")
