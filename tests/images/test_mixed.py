"""Mixed images: the arithmetic, the pairs, and what extraction makes of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit import extraction_plan
from oodkit.errors import ImageSetError, InputError, UsageError
from oodkit.extraction import extract
from oodkit.extraction_plan import outputs_key
from oodkit.images import open_images
from oodkit.images.arrays import ArraySet
from oodkit.images.mixed import LAMBDAS, MixedSet, mixed_sets


def grey_set(count, side=2):
    """Image i is one grey all over, 10 · i."""
    return ArraySet("greys", np.repeat(np.arange(count, dtype=np.uint8) * 10, side * side).reshape(count, side, side))


def to_tensor(image):
    return torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)


@pytest.mark.parametrize("lam", [0.1, 0.3, 0.5])
def test_a_mixed_image_is_the_weighted_sum_of_the_transformed_images(lam):
    """Greys 10 i and 10 j, normalised as (x − 5)/20: (1 − λ)(10 i − 5)/20 + λ (10 j − 5)/20."""
    mixed = MixedSet(grey_set(9), lam, seed=3)
    for index, (i, j) in enumerate(mixed.pairs):
        pixels = mixed.transformed(index, lambda image: (to_tensor(image) - 5) / 20)
        expected = (1 - lam) * (10 * i - 5) / 20 + lam * (10 * j - 5) / 20
        torch.testing.assert_close(pixels, torch.full((3, 2, 2), float(expected)))


def test_images_of_different_sizes_are_mixed_after_the_transform(tmp_path):
    """The larger one is cropped first: were they mixed before, its border would come in."""
    Image.new("RGB", (2, 2), (100, 0, 0)).save(tmp_path / "a.png")
    large = Image.new("RGB", (6, 6), (255, 255, 255))
    large.paste((0, 200, 0), (2, 2, 4, 4))
    large.save(tmp_path / "b.png")

    def crop(image):
        left = (image.width - 2) // 2
        return to_tensor(image.crop((left, left, left + 2, left + 2)))

    mixed = MixedSet(open_images(tmp_path), 0.25)
    expected = {0: [75, 50, 0], 1: [25, 150, 0]}
    assert mixed.transformed(0, crop)[:, 0, 0].tolist() == expected[int(mixed.pairs[0, 0])]


@pytest.mark.parametrize("count", [2, 3, 4, 7, 1000])
def test_no_image_is_in_two_pairs(count):
    """So none meets itself, and only the odd one out is in none."""
    pairs = MixedSet(open_blank(count), 0.5, seed=1).pairs
    assert pairs.shape == (count // 2, 2)
    assert len(set(pairs.flatten().tolist())) == 2 * (count // 2)
    assert set(pairs.flatten().tolist()) <= set(range(count))


def test_pairs_are_made_across_classes_and_places():
    """Of 1000 sorted images every stretch has firsts and partners, and a partner is as often before as after its first."""
    pairs = MixedSet(open_blank(1000), 0.5).pairs
    assert np.histogram(pairs[:, 0], 5, (0, 1000))[0].min() > 70
    assert np.histogram(pairs[:, 1], 5, (0, 1000))[0].min() > 70
    assert 200 < int((pairs[:, 0] < pairs[:, 1]).sum()) < 300
    assert pairs[:, 0].tolist() == sorted(pairs[:, 0].tolist())


def open_blank(count):
    return ArraySet("blank", np.zeros((count, 1, 1), np.uint8))


def test_the_pairs_follow_the_seed_and_not_lambda():
    images = open_blank(50)
    pairs = {(lam, seed): MixedSet(images, lam, seed).pairs.tobytes() for lam in LAMBDAS for seed in (0, 1)}
    assert len(set(pairs.values())) == 2
    assert pairs[0.1, 0] == pairs[0.5, 0] != pairs[0.1, 1]


def test_one_image_can_not_be_mixed():
    with pytest.raises(ImageSetError, match="mixing needs two images or more; blank has 1"):
        mixed_sets(open_blank(1))


@pytest.mark.parametrize("lam", [0, 0.6, float("nan")])
def test_a_share_beyond_the_half_is_refused(lam):
    with pytest.raises(UsageError, match=r"above 0 and at most 0\.5"):
        MixedSet(open_blank(2), lam)


def test_a_seed_below_0_is_refused():
    with pytest.raises(UsageError, match=r"^seed must be 0 or more, got -1$"):
        mixed_sets(open_blank(2), seed=-1)


def test_the_limit_spreads_over_the_whole_set_and_keeps_the_pairs():
    images = grey_set(20)
    whole, few = MixedSet(images, 0.5), mixed_sets(images, limit=5)[0.5]
    assert len(few) == 5
    names = [whole.image_name(i) for i in range(10)]
    places = [names.index(few.image_name(i)) for i in range(5)]
    assert [place // 2 for place in places] == [0, 1, 2, 3, 4]
    for i, place in enumerate(places):
        assert torch.equal(few.transformed(i, to_tensor), whole.transformed(place, to_tensor))


def test_no_two_lambdas_seeds_or_sets_share_a_cache_entry(tiny_model, image_folder):
    one, other = (open_images(image_folder(name)) for name in ("one", "other"))
    sets = [images for source in (one, other) for seed in (0, 1) for images in mixed_sets(source, seed=seed).values()]
    sets += [one, other, *mixed_sets(one, limit=4).values()]
    assert len({outputs_key(tiny_model, images) for images in sets}) == 2 * 2 * 5 + 2 + 5
    assert outputs_key(tiny_model, MixedSet(one, 0.2)) == outputs_key(tiny_model, MixedSet(open_images(one.root), 0.2))


def test_the_picture_for_the_eye_has_the_size_of_the_first(tmp_path):
    Image.new("RGB", (4, 2), (100, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGB", (3, 3), (0, 200, 0)).save(tmp_path / "b.png")
    mixed = MixedSet(open_images(tmp_path), 0.5)
    picture = mixed.load(0)
    assert (picture.size, picture.getpixel((1, 1))) == ([(4, 2), (3, 3)][mixed.pairs[0, 0]], (50, 100, 0))


def test_the_network_gets_the_mixed_pixels(tiny_model, image_folder):
    images = open_images(image_folder())
    mixed = MixedSet(images, 0.4)
    outputs = extract(tiny_model, mixed, cache=False, labelled=False, batch_size=4, workers=2)
    pixels = torch.stack([tiny_model.transform(images.load(i)) for i in range(12)])
    with torch.no_grad():
        torch.testing.assert_close(
            outputs.logits, tiny_model.net(0.6 * pixels[mixed.pairs[:, 0]] + 0.4 * pixels[mixed.pairs[:, 1]])
        )
    assert outputs.labels.unique().tolist() == [-1]


def test_a_run_goes_on_at_the_first_unfinished_shard(tiny_model, image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction_plan, "SHARD_SIZE", 4)
    seen = []
    tiny_model.net.register_forward_pre_hook(lambda _net, inputs: seen.append(len(inputs[0])))
    mixed = MixedSet(open_images(image_folder()), 0.2)
    first = extract(tiny_model, mixed, cache=tmp_path / "cache", labelled=False).logits.clone()
    (tmp_path / "cache" / outputs_key(tiny_model, mixed) / "00001.safetensors").unlink()
    again = extract(tiny_model, mixed, cache=tmp_path / "cache", labelled=False)
    assert sum(seen) == 6 + 2
    assert torch.equal(first, again.logits)


@pytest.mark.parametrize("side", [0, 1])
def test_a_mixed_image_is_skipped_where_either_of_its_two_can_not_be_read(tiny_model, image_folder, side):
    images = open_images(image_folder())
    mixed = MixedSet(images, 0.3)
    broken = images.path(int(mixed.pairs[2, side]))
    (images.root / broken).write_bytes(b"no image")
    outputs = extract(tiny_model, mixed, cache=False, labelled=False)
    (skipped,) = outputs.skipped
    assert (skipped.index, skipped.name) == (2, mixed.image_name(2))
    assert skipped.reason == f"{broken}: not an image of a format that Pillow decodes"
    assert len(outputs) == 5


def test_an_image_that_the_transform_refuses_spoils_its_mixed_image(tiny_model, image_folder):
    images, original = open_images(image_folder()), tiny_model.transform
    mixed = MixedSet(images, 0.3)
    marked = images.load(int(mixed.pairs[3, 1])).getpixel((0, 0))

    def transform(image):
        if image.getpixel((0, 0)) == marked:
            raise ValueError("too odd")
        return original(image)

    tiny_model.transform = transform
    outputs = extract(tiny_model, mixed, cache=False, labelled=False)
    assert [(one.index, one.reason) for one in outputs.skipped] == [(3, "can't be transformed: too odd")]


def test_sizes_that_differ_after_the_transform_end_the_run_in_one_line(tiny_model, tmp_path):
    for width in (3, 4):
        Image.new("RGB", (width, 3)).save(tmp_path / f"{width}.png")
    tiny_model.transform = to_tensor
    with pytest.raises(InputError, match=r"different sizes, \(3, 3, .\) and \(3, 3, .\), that can't be mixed; make it crop"):
        extract(tiny_model, MixedSet(open_images(tmp_path), 0.5), cache=False, labelled=False)
