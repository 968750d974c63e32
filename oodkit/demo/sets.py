"""The demo's image sets, made of what scikit-learn ships, so that nothing is downloaded."""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet

SIZE = 32
SEEN = 8  # digits 0 … 7 are the classes; the last two, 8 and 9, were left out before anything was trained
SPLITS = {"train": 0.5, "val": 0.2, "test": 0.3}
PATCHES = 400
PATCH_SIDES = (32, 64, 128, 256)
SMALL = "digits-8x8"
NAMES = ("digits", *(f"{kind}:{split}" for kind in ("digits", SMALL) for split in SPLITS), "digits-unseen", "photo-patches")


class DemoSet(ImageSet):
    """Images held in memory: pixels (N, H, W, 3) uint8, labels (N,), and where each image comes from."""

    def __init__(
        self, spec: str, pixels: np.ndarray, labels: np.ndarray, names: Sequence[str], class_names: tuple[str, ...] | None = None
    ) -> None:
        self.spec, self.pixels, self.labels, self.names, self.class_names = spec, pixels, labels, tuple(names), class_names

    def load(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])

    def image_name(self, index: int) -> str:
        return self.names[index]

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(self.pixels.tobytes(), digest_size=16)
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def open_demo_set(name: str) -> DemoSet:
    """An image set of the demo, RGB. ``name`` is what follows ``demo:``; images are of 32 × 32 pixels but for digits-8x8.

    digits: in-distribution, the digits 0 to 7 of ``sklearn.datasets.load_digits`` (1,443 of its 1,797 images, 8 × 8 pixels each),
    split by class and a fixed seed into ``digits:train`` (50 %), ``digits:val`` (20 %) and ``digits:test`` (30 %); ``digits`` alone
    is the test split. digits-8x8:train, :val and :test are the same images at their own size, which a generator learns from: no
    reduction of the enlarged ones gives them back. digits-unseen: near-OOD, the 354 images of 8 and 9, left out before anything was
    trained. photo-patches: far-OOD, 400 squares of 32 to 256 pixels' side cut at seeded places out of the two photographs of
    ``sklearn.datasets.load_sample_images``. Labels are the digit, −1 in the OOD sets. Raises ImageSetError for any other name.
    """
    if name not in NAMES:
        raise ImageSetError(f"no demo image set named {name!r}; there are demo:{', demo:'.join(NAMES)}")
    if name == "photo-patches":
        return _photo_patches()
    pixels, digits = _digits(enlarged=not name.startswith(SMALL))
    if name == "digits-unseen":
        rows = np.flatnonzero(digits >= SEEN)
        return DemoSet(f"demo:{name}", pixels[rows], np.full(len(rows), -1), _digit_names(rows))
    rows = _split(digits)[name.partition(":")[2] or "test"]
    return DemoSet(f"demo:{name}", pixels[rows], digits[rows], _digit_names(rows), tuple(str(digit) for digit in range(SEEN)))


@cache  # a run opens three sets of them; 6 MB
def _digits(*, enlarged: bool) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.rint(data.images * (255 / 16)).astype(np.uint8)
    pixels = np.stack([_square(Image.fromarray(image)) for image in grey]) if enlarged else grey[..., None].repeat(3, axis=3)
    return pixels, data.target.astype(np.int64)


def _digit_names(rows: np.ndarray) -> list[str]:
    return [f"load_digits/{row:04d}" for row in rows]


def _split(digits: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each split: every class is shuffled and cut in the same shares."""
    # NumPy promises the raw stream of a bit generator for good, and not what its shuffles make of it; a split that changed with
    # NumPy would test the shipped checkpoints on images that they were trained on.
    keys = np.random.PCG64(0).random_raw(len(digits))
    parts: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for digit in range(SEEN):
        rows = np.flatnonzero(digits == digit)
        cuts = np.rint(np.cumsum(list(SPLITS.values()))[:-1] * len(rows)).astype(int)
        for split, part in zip(SPLITS, np.split(rows[np.argsort(keys[rows])], cuts), strict=True):
            parts[split].append(part)
    return {split: np.sort(np.concatenate(part)) for split, part in parts.items()}


def _photo_patches() -> DemoSet:
    pixels, names = _patches()
    return DemoSet("demo:photo-patches", pixels, np.full(PATCHES, -1), names)


@cache
def _patches() -> tuple[np.ndarray, list[str]]:
    from sklearn.datasets import load_sample_image

    files = ("china.jpg", "flower.jpg")
    photos = [Image.fromarray(load_sample_image(file)) for file in files]
    pixels, names = [], []
    for number, (x, y) in enumerate(np.random.PCG64(0).random_raw((PATCHES, 2))):
        which = number % len(photos)
        side = PATCH_SIDES[number // len(photos) % len(PATCH_SIDES)]
        left, top = int(x) % (photos[which].width - side + 1), int(y) % (photos[which].height - side + 1)
        pixels.append(_square(photos[which].crop((left, top, left + side, top + side))))
        names.append(f"{files[which]} {side}x{side}+{left}+{top}")
    return np.stack(pixels), names


def _square(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))
