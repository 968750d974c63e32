"""A fit of seconds: 8 × 8 images of two classes, one dark and one bright."""

import numpy as np
from PIL import Image

from oodkit import open_images
from oodkit.synth.base import Request
from oodkit.synth.fit.run import fit_generator

STEPS = 3  # an epoch
HOW = {"channels": 8, "batch_size": 8, "epochs": 3, "amp": "no", "device": "cpu", "workers": 0}


def dark_and_bright(folder, each=12, side=8):
    rng = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 40)):
        (folder / name).mkdir(parents=True)
        for index in range(each):
            pixels = rng.integers(level - 30, level + 31, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return open_images(str(folder))


def fitted(data, folder, **changes):
    return fit_generator(data, output=folder, **{**HOW, **changes})


def requests(classes, each=2):
    return [Request(one, index, 100 * one.label + index) for index in range(each) for one in classes]
