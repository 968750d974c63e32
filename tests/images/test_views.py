"""Views: the crops and flips that training draws, each fixed by its place, and what extraction makes of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.errors import UnreadableImageError, UsageError
from oodkit.extraction import extract, outputs_key
from oodkit.images import open_images
from oodkit.images.arrays import ArraySet
from oodkit.images.limited import limited, taken
from oodkit.images.views import ViewSet, _drawn_size


def coordinates(width, height, images=1):
    """Red tells a pixel's column and green its row, from 1, so that a crop tells where it was taken; blue is 255."""
    column, row = np.meshgrid(np.arange(1, width + 1), np.arange(1, height + 1))
    one = np.stack([column, row, np.full_like(row, 255)], axis=-1).astype(np.uint8)
    return ArraySet("coordinates", np.repeat(one[None], images, axis=0), np.arange(images))


def views_of(whole, count, seed=0):
    views = ViewSet(whole, count, seed)
    return [np.asarray(views.load(index)).astype(int) for index in range(len(views))]


def test_a_small_image_is_padded_by_an_eighth_cropped_to_its_size_and_flipped():
    """Of 32 × 16 pixels the border is 4 and 2: the crop begins −4 … 4 columns and −2 … 2 rows from the image's own corner."""
    starts, flips = set(), 0
    known = np.asarray(coordinates(32, 16).load(0)).astype(int)
    for drawn in views_of(coordinates(32, 16), 2000):
        assert drawn.shape == (16, 32, 3)
        flipped = drawn[8, 16, 0] > drawn[8, 17, 0]
        view = drawn[:, ::-1] if flipped else drawn
        column, row = view[8, 16, 0] - 17, view[8, 16, 1] - 9
        starts.add((column, row))
        flips += flipped
        expected = np.zeros_like(view)
        top, left = max(0, -row), max(0, -column)
        part = known[max(0, row) : 16 + min(0, row), max(0, column) : 32 + min(0, column)]
        expected[top : top + part.shape[0], left : left + part.shape[1]] = part
        assert np.array_equal(view, expected)
    assert starts == {(column, row) for column in range(-4, 5) for row in range(-2, 3)}
    assert 900 < flips < 1100


def test_a_large_image_is_cropped_within_itself_and_made_a_square():
    """Columns and rows run evenly through the view, from which its part can be read: what the middle halves span, twice."""
    areas, ratios = [], []
    for view in views_of(coordinates(120, 90), 400):
        side = len(view)
        assert view.shape == (side, side, 3)
        assert (view[..., 2] == 255).all()
        column, row = view[side // 2, :, 0], view[:, side // 2, 1]
        assert (np.diff(row) >= 0).all()
        assert (np.diff(column) >= 0).all() or (np.diff(column) <= 0).all()
        width, height = abs(column[-1] - column[0]) + 1, row[-1] - row[0] + 1
        assert abs(side - max(width, height)) <= 1
        areas.append(width * height / (120 * 90))
        ratios.append(width / height)
    assert 0.07 < min(areas) < 0.15
    assert 0.8 < max(areas) <= 1
    assert 0.7 < min(ratios) < 0.8
    assert 1.27 < max(ratios) < 1.4


def test_an_image_is_small_where_no_side_is_longer_than_64_pixels():
    """64 × 40 keeps its size; of 65 × 40 a part is made a square."""
    assert {view.shape for view in views_of(coordinates(64, 40), 20)} == {(40, 64, 3)}
    assert all(view.shape[0] == view.shape[1] for view in views_of(coordinates(65, 40), 20))


def test_the_crops_have_the_sizes_that_torchvision_draws():
    """Mean and spread of the area's share and of the ratio's logarithm, of 4,000 crops each."""
    transforms = pytest.importorskip("torchvision.transforms")
    image, rng = Image.new("RGB", (400, 300)), np.random.default_rng(0)
    torch.manual_seed(0)
    theirs = [transforms.RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(4000)]
    sizes = np.array([_drawn_size(image, rng) for _ in range(4000)]), np.array([(width, height) for _, _, height, width in theirs])
    for figure in (lambda one: one.prod(1) / 120_000, lambda one: np.log(one[:, 0] / one[:, 1])):
        ours, expected = (figure(one) for one in sizes)
        assert ours.mean() == pytest.approx(expected.mean(), abs=0.02)
        assert ours.std() == pytest.approx(expected.std(), abs=0.02)


@pytest.mark.parametrize(("size", "expected"), [((1000, 10), (13, 10)), ((10, 1000), (10, 13)), ((100, 1), (1, 1))])
def test_of_a_banner_the_largest_part_within_the_ratio_is_taken(size, expected):
    """10 · 4/3 = 13.3: where none of ten drawn parts fits; another fits now and then, in one dimension whole."""
    found = [_drawn_size(Image.new("RGB", size), np.random.default_rng(seed)) for seed in range(20)]
    assert expected in found
    assert all(width <= size[0] and height <= size[1] for width, height in found)


def test_position_i_is_of_image_i_over_views_and_has_its_label():
    views = ViewSet(coordinates(8, 8, images=3), 2)
    assert len(views) == 6
    assert views.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert [views.image_name(index) for index in range(4)] == ["0 (view 1)", "0 (view 2)", "1 (view 1)", "1 (view 2)"]


def test_a_view_follows_the_seed_and_its_position_alone():
    """Not the order that views are asked for in, nor what else was drawn."""
    whole = coordinates(32, 32, images=2)
    views = views_of(whole, 10)
    again = ViewSet(whole, 10)
    for index in reversed(range(20)):
        assert np.array_equal(np.asarray(again.load(index)), views[index])
    assert len({view.tobytes() for view in views}) > 15
    assert any(not np.array_equal(one, other) for one, other in zip(views, views_of(whole, 10, seed=1), strict=True))


@pytest.mark.parametrize("views", [0, -1])
def test_less_than_one_view_is_refused(views):
    with pytest.raises(UsageError, match=f"views must be 1 or more, got {views}"):
        ViewSet(coordinates(8, 8), views)


def test_a_seed_below_0_is_refused():
    with pytest.raises(UsageError, match=r"^seed must be 0 or more, got -1$"):
        ViewSet(coordinates(8, 8), 1, seed=-1)


def test_the_network_gets_the_views_whatever_the_workers(tiny_model, image_folder):
    images = ViewSet(open_images(image_folder()), 3)
    one, two = (extract(tiny_model, images, cache=False, workers=workers, batch_size=4) for workers in (0, 2))
    pixels = torch.stack([tiny_model.transform(images.load(index)) for index in range(36)])
    with torch.no_grad():
        torch.testing.assert_close(one.logits, tiny_model.net(pixels))
    assert torch.equal(one.logits, two.logits)
    assert one.labels.tolist() == [label for label in range(3) for _ in range(12)]


def test_no_two_sets_numbers_seeds_or_parts_share_a_cache_entry(tiny_model, image_folder):
    one, other = (open_images(image_folder(name)) for name in ("one", "other"))
    sets = [ViewSet(whole, views, seed) for whole in (one, other) for views in (1, 2) for seed in (0, 1)]
    sets += [one, other, ViewSet(limited(one, 4), 2), ViewSet(taken(one, np.arange(6)), 2)]
    assert len({outputs_key(tiny_model, images) for images in sets}) == len(sets)
    assert outputs_key(tiny_model, ViewSet(one, 2)) == outputs_key(tiny_model, ViewSet(open_images(one.root), 2))


def test_what_can_not_be_read_can_not_in_any_view(tiny_model, image_folder):
    images = open_images(image_folder())
    (images.root / images.path(1)).write_bytes(b"no image")
    views = ViewSet(images, 2)
    with pytest.raises(UnreadableImageError, match="not an image of a format that Pillow decodes"):
        views.load(3)
    outputs = extract(tiny_model, views, cache=False)
    assert [(one.index, one.name) for one in outputs.skipped] == [(2, "cat/1.png (view 1)"), (3, "cat/1.png (view 2)")]
