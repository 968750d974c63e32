import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.errors import InputError, UnreadableImageError, UsageError
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.training.augment import TrainTransform, seed_generators
from oodkit.training.recipes import make_recipe, pixmix
from oodkit.training.recipes.pixmix import PixelMix, mixed_by, operations, shares

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))


class Pictures(ImageSet):
    """Pictures of one colour each; those below 0 can't be read."""

    spec = "pictures"

    def __init__(self, *levels: int) -> None:
        self.levels, self.labels, self.loaded = levels, np.zeros(len(levels), dtype=np.int64), 0

    def load(self, index: int) -> Image.Image:
        self.loaded += 1
        if self.levels[index] < 0:
            raise UnreadableImageError("torn in two")
        return Image.new("RGB", (40, 30), (self.levels[index],) * 3)

    def image_name(self, index: int) -> str:
        return str(index)

    def fingerprint(self) -> str:
        return str(self.levels)


def unchanged(image: Image.Image) -> Image.Image:
    return image


def test_adding_by_hand() -> None:
    """0.75 and 0.25 are 0.5 and −0.5 of [−1, 1]; 0.9 · 0.5 − 0.2 · 0.5 = 0.35, which is 0.675 of [0, 1]."""
    one, other = torch.full((3, 2, 2), 0.75), torch.full((3, 2, 2), 0.25)
    torch.testing.assert_close(mixed_by("add", one, other, 0.9, 0.2), torch.full((3, 2, 2), 0.675))


def test_multiplying_by_hand() -> None:
    """0.75 and 0.125 are 1.5 and 0.25 of [0, 2]; 1.5² · 0.25^½ = 1.125, which is 0.5625 of [0, 1]."""
    one, other = torch.full((3, 2, 2), 0.75), torch.full((3, 2, 2), 0.125)
    torch.testing.assert_close(mixed_by("multiply", one, other, 2.0, 0.5), torch.full((3, 2, 2), 0.5625))


def test_multiplying_by_a_negative_power_of_black_stays_finite() -> None:
    assert mixed_by("multiply", torch.full((3, 2, 2), 0.5), torch.zeros(3, 2, 2), 1.2, -0.9).isfinite().all()


def test_shares_have_the_means_of_their_distributions() -> None:
    """Beta(3, 1) has the mean 3/4, Beta(1, 3) 1/4: a is 0.75 or 1.25 and b 0.25 or −0.25, on average."""
    torch.manual_seed(0)
    drawn = np.array([shares(3.0) for _ in range(2000)])
    less, more = drawn[drawn[:, 1] > 0], drawn[drawn[:, 1] < 0]
    assert 900 < len(less) < 1100
    np.testing.assert_allclose(less.mean(0), [0.75, 0.25], atol=0.03)
    np.testing.assert_allclose(more.mean(0), [1.25, -0.25], atol=0.03)


def test_two_constant_images_mix_as_the_formula_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With k = 1, no operations and shares of 0.9 and 0.2, five images can come out, and all five do."""
    monkeypatch.setattr(pixmix, "shares", lambda _beta: (0.9, 0.2))
    mixed = PixelMix(Pictures(51), 8, 1, 3.0, unchanged)  # 51 = 0.2 · 255
    seen = set()
    for seed in range(100):
        torch.manual_seed(seed)
        pixels = np.unique(mixed(Image.new("RGB", (8, 8), (153,) * 3)))  # 0.6 · 255
        assert len(pixels) == 1
        seen.add(int(pixels[0]))
    added = [(0.9 * 0.2 + 0.2 * other + 1) / 2 for other in (0.2, -0.6)]
    multiplied = [1.2**0.9 * other**0.2 / 2 for other in (1.2, 0.4)]
    assert seen == {153, *(round(255 * level) for level in (*added, *multiplied))}


def test_pictures_are_read_only_where_they_are_mixed_in_and_all_of_them_have_their_turn() -> None:
    none, all_of_them = Pictures(10, 20), Pictures(0, 50, 100, 150)
    PixelMix(none, 16, 0, 3.0, unchanged)(IMAGE)
    assert none.loaded == 0
    mixed = PixelMix(all_of_them, 16, 4, 3.0, unchanged)
    torch.manual_seed(0)
    assert {np.asarray(mixed._drawn()).item(0) for _ in range(40)} == {0, 50, 100, 150}


def test_a_picture_that_cannot_be_read_is_passed_over_and_a_set_of_them_named() -> None:
    torch.manual_seed(0)
    assert {np.asarray(PixelMix(Pictures(-1, 7), 16, 1, 3.0, unchanged)._drawn()).item(0) for _ in range(20)} == {7}
    with pytest.raises(
        InputError, match=r"^10 pictures in a row of pictures can't be read; look at the mixing set \(torn in two\)$"
    ):
        PixelMix(Pictures(-1), 16, 1, 3.0, unchanged)._drawn()


def test_views_are_the_same_under_a_seed_also_after_pickling(image_folder) -> None:
    folder: Path = image_folder(each=2)
    views = make_recipe("pixmix").views(16, open_images(str(folder)))
    transform = TrainTransform(16, True, (0.5,) * 3, (0.25,) * 3, views)
    found = []
    for one in (transform, pickle.loads(pickle.dumps(transform))):
        seed_generators(5)
        found.append(torch.stack([one(IMAGE)[0] for _ in range(5)]))
    torch.testing.assert_close(*found, rtol=0, atol=0)
    assert len(found[0].unique(dim=0)) == 5


@pytest.mark.parametrize("severity", [1, 3, 10])
def test_every_operation_gives_an_image_of_the_same_size(severity: int) -> None:
    torch.manual_seed(0)
    choice = operations(severity)
    assert len(choice.transforms) == 13
    for operation in choice.transforms:
        changed = operation(IMAGE)
        assert (changed.size, changed.mode) == (IMAGE.size, "RGB")


@pytest.mark.parametrize(("side", "beta"), [(32, 3.0), (64, 3.0), (224, 4.0)])
def test_large_images_are_mixed_more_weakly(side: int, beta: float) -> None:
    (view,) = make_recipe("pixmix").views(side, Pictures(1))
    assert (view.on_image[0].beta, view.on_image[0].k) == (beta, 4)


def test_it_needs_pictures() -> None:
    with pytest.raises(UsageError, match=r"^recipe pixmix needs pictures to mix in, got none; name them with --mixing SET$"):
        make_recipe("pixmix").views(32)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [({"k": -1}, "a k of 0 or more"), ({"beta": 0}, "a beta above 0"), ({"severity": 0}, "a severity from 1 to 10")],
)
def test_impossible_settings_are_refused(setting: dict[str, float], expected: str) -> None:
    with pytest.raises(UsageError, match=f"^recipe pixmix needs {expected}, got k="):
        make_recipe("pixmix", **setting)
