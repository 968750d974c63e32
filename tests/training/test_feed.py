"""The batches as the loop gets them: the right pixels and labels, in whatever process they were made."""

import multiprocessing
import os
import random
import signal

import numpy as np
import pytest
import torch
from torch import nn

from oodkit.errors import InputError, OodkitError
from oodkit.images import open_images
from oodkit.images.arrays import ArraySet
from oodkit.training.augment import TrainTransform, kept_generators, seed_generators
from oodkit.training.draws import Draws
from oodkit.training.feed import Feed, _Read
from oodkit.training.pools import outlier_pool, real_pool, synthetic_pool
from oodkit.training.recipes.base import View


class Jitter:
    """Draws from each generator that transforms draw from; pickles, which a lambda does not."""

    def __call__(self, tensor):
        return tensor + torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002


class Refusing:
    """A transform that takes only bright images."""

    def __call__(self, image):
        if max(image.getpixel((4, 4))) < 100:
            raise ValueError("too\ndark")
        return image


class Dying:
    """A transform that takes its worker with it."""

    def __call__(self, image):
        os._exit(1)


class FailingDisk(ArraySet):
    def load(self, index):
        raise OodkitError("can't read x.png: Input/output error; nothing is wrong with the file itself, run again")


@pytest.fixture(autouse=True)
def _keep_generators():
    with kept_generators():
        yield


def transform(*views, side=8):
    return TrainTransform(side, True, (0.5,) * 3, (0.25,) * 3, views or (View(),))


def grey(*values, kind=ArraySet, spec="grey"):
    """Images of 8 by 8 pixels of one value each; labels 0, 1, 0, 1, …"""
    pixels = np.broadcast_to(np.array(values, dtype=np.uint8)[:, None, None], (len(values), 8, 8)).copy()
    return kind(spec, pixels, np.arange(len(values)) % 2)


def values(images):
    """The grey that each image shows, at its centre, which no crop of one pixel leaves."""
    return (images[:, 0, 4, 4] * 0.25 + 0.5).mul(255).round().int().tolist()


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert len(one.views) == len(other.views)
        assert all(map(torch.equal, one.views, other.views))
        assert torch.equal(one.labels, other.labels)
        assert (one.outliers is None) == (other.outliers is None)
        assert one.outliers is None or torch.equal(one.outliers, other.outliers)


@pytest.fixture
def full_feed(image_folder):
    """Real, synthetic and outlying images, two views, transforms that draw from every generator."""
    pools = [open_images(image_folder(name, each=6, seed=seed)) for seed, name in enumerate(("real", "synthetic", "outliers"))]
    synthetic, _ = synthetic_pool(pools[1], pools[0].class_names, 3)
    draws = Draws(18, synthetic=18, outliers=18, alpha=0.5, batch_size=6, outlier_batch=3)
    views = transform(View(), View(on_tensor=(Jitter(),)))
    return Feed(real_pool(pools[0]), views, draws, synthetic=synthetic, outliers=outlier_pool(pools[2]))


def test_each_image_is_what_the_transform_makes_of_it_under_its_seed(full_feed, image_folder):
    """Against a loop over the keys."""
    sources = {"real": "real", "synthetic": "synthetic", "outlier": "outliers"}
    sets = {
        source: open_images(image_folder(f"again/{name}", each=6, seed=seed)) for seed, (source, name) in enumerate(sources.items())
    }
    change = transform(View(), View(on_tensor=(Jitter(),)))
    for step, batch in enumerate(full_feed.batches(0, 4, workers=0)):
        shown = {True: [], False: []}
        for source, position, seed in full_feed.draws.batch(step):
            seed_generators(seed)
            shown[source == "outlier"].append((change(sets[source].load(position)), sets[source].labels[position]))
        assert all(torch.equal(view, torch.stack([made[i] for made, _ in shown[False]])) for i, view in enumerate(batch.views))
        assert batch.labels.tolist() == [label for _, label in shown[False]]
        assert batch.labels.dtype == torch.int64
        assert torch.equal(batch.outliers, torch.stack([made[0] for made, _ in shown[True]]))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(full_feed, workers):
    assert_equal(list(full_feed.batches(0, 5, workers=workers)), list(full_feed.batches(0, 5, workers=0)))


def test_how_workers_start_changes_nothing():
    """A spawned worker has nothing of this process, and can't import tests."""
    images = open_images("demo:digits:val")
    feed = Feed(real_pool(images), transform(side=32), Draws(len(images), batch_size=8))
    expected = list(feed.batches(0, 3, workers=0))
    usual = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    try:
        assert_equal(list(feed.batches(0, 3, workers=1)), expected)
    finally:
        multiprocessing.set_start_method(usual, force=True)


def test_a_training_that_goes_on_gets_what_it_would_have_got(full_feed):
    whole = list(full_feed.batches(0, 7, workers=0))
    assert_equal(list(full_feed.batches(4, 7, workers=2)), whole[4:])
    assert_equal(list(full_feed.batches(4, 5, workers=2)), whole[4:5])
    assert list(full_feed.batches(7, 7)) == []


def test_keys_are_drawn_as_they_are_needed(full_feed, monkeypatch):
    """A training of a billion steps starts at once: two batches ahead for each worker."""
    asked = []
    drawn = full_feed.draws.batch
    monkeypatch.setattr(full_feed.draws, "batch", lambda step: [asked.append(step), drawn(step)][1])
    batches = full_feed.batches(0, 10**9, workers=2)
    next(batches)
    assert len(asked) <= 6
    batches.close()


def test_workers_leave_the_generators_of_this_process_alone(full_feed):
    seed_generators(3)
    expected = float(torch.rand(())), random.random(), float(np.random.rand())  # noqa: NPY002
    seed_generators(3)
    list(full_feed.batches(0, 3, workers=2))
    assert (float(torch.rand(())), random.random(), float(np.random.rand())) == expected  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_images_are_left_out_and_counted_once(image_folder, workers):
    folder = image_folder(each=4)
    (folder / "cat" / "1.png").write_bytes(b"")
    (folder / "fox" / "2.png").write_text("no image")
    images = open_images(folder)
    feed = Feed(real_pool(images), transform(), Draws(12, batch_size=4))
    batches = list(feed.batches(0, 12, workers=workers))
    sizes = [len(batch.labels) for batch in batches]
    assert [len(batch.images) for batch in batches] == sizes
    assert [sum(sizes[start : start + 3]) for start in range(0, 12, 3)] == [10] * 4
    assert torch.cat([batch.labels for batch in batches]).bincount().tolist() == [12, 16, 12]
    assert feed.unreadable == {
        f"cat/1.png of {folder}": "an empty file",
        f"fox/2.png of {folder}": "not an image of a format that Pillow decodes",
    }


def test_an_image_that_the_transform_refuses_is_left_out_too():
    feed = Feed(real_pool(grey(200, 50, 220, 240)), transform(View(on_image=(Refusing(),))), Draws(4, batch_size=4))
    (batch,) = feed.batches(0, 1, workers=0)
    assert sorted(values(batch.images)) == [200, 220, 240]
    assert feed.unreadable == {"1 of grey": "can't be transformed: too dark"}


def test_of_a_batch_with_one_image_left_it_comes_twice_so_that_batch_normalisation_can_learn():
    """As GODIN normalises one value an image, and any network whose last map is of one pixel."""
    views = (View(on_image=(Refusing(),)), View(on_image=(Refusing(),)))
    feed = Feed(real_pool(grey(50, 200)), transform(*views), Draws(2, batch_size=2))
    for workers in (0, 1):
        for batch in feed.batches(0, 2, workers=workers):
            assert [values(view) for view in batch.views] == [[200, 200]] * 2
            assert batch.labels.tolist() == [1, 1]
            nn.BatchNorm1d(3)(batch.images.mean((2, 3)))
    alone = Feed(real_pool(grey(50, 200)), transform(), Draws(2, batch_size=1))
    assert [len(batch.images) for batch in alone.batches(0, 2, workers=0)] == [1, 1]


def test_a_batch_is_given_as_it_was_stacked():
    """A copy would cost a pass over all pixels, and would not lie in the memory that a GPU can read while it computes."""
    feed = Feed(real_pool(grey(100, 200)), transform(), Draws(2, batch_size=2))
    stacked = _Read((torch.zeros(2, 3, 8, 8),), torch.tensor([0, 1]), None, [])
    given = feed._batch(stacked, 0)
    assert given.images is stacked.views[0]
    assert given.labels is stacked.labels


@pytest.mark.skipif(not torch.cuda.is_available(), reason="memory is pinned for a GPU alone")
def test_what_is_to_be_pinned_is(full_feed):
    for batch in full_feed.batches(0, 2, workers=1, pin_memory=True):
        assert all(tensor.is_pinned() for tensor in (*batch.views, batch.labels, batch.outliers))


def test_a_batch_without_an_image_ends_the_training():
    feed = Feed(real_pool(grey(1, 2)), transform(View(on_image=(Refusing(),))), Draws(2, batch_size=2))
    with pytest.raises(InputError) as refused:
        list(feed.batches(3, 4))
    first = feed.draws.batch(3)[0].position
    reason = "can't be transformed: too dark; look at the set"
    assert str(refused.value) == f"no image of the batch of step 3 can be read, such as {first} of grey: {reason}"


def test_a_batch_without_an_outlier_ends_the_training():
    draws = Draws(2, outliers=1, batch_size=2, outlier_batch=1)
    feed = Feed(
        real_pool(grey(200, 201)), transform(View(on_image=(Refusing(),))), draws, outliers=outlier_pool(grey(7, spec="out"))
    )
    with pytest.raises(InputError, match="no outlier of the batch of step 0 can be read, such as 0 of out: can't be transformed"):
        list(feed.batches(0, 1))


class WithoutPictures:
    """A transform that mixes images of another set in, of which none can be read."""

    def __call__(self, image):
        raise InputError("10 pictures in a row of fractals can't be read; look at the mixing set")


@pytest.mark.parametrize("workers", [0, 1])
def test_where_the_images_to_mix_in_can_not_be_read_the_training_images_are_not_blamed(workers):
    feed = Feed(real_pool(grey(1, 2, 3, 4)), transform(View(on_image=(WithoutPictures(),))), Draws(4, batch_size=2))
    with pytest.raises(InputError, match=r"^10 pictures in a row of fractals can't be read; look at the mixing set$"):
        list(feed.batches(0, 2, workers=workers))
    assert feed.unreadable == {}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failing_disk_ends_the_training_in_one_line(workers):
    feed = Feed(real_pool(grey(1, 2, kind=FailingDisk)), transform(), Draws(2, batch_size=2))
    with pytest.raises(OodkitError, match="can't read x"):
        list(feed.batches(0, 2, workers=workers))


def test_outliers_are_shown_in_the_first_view_alone():
    """Here the second would refuse them."""
    draws, views = Draws(2, outliers=1, batch_size=2, outlier_batch=2), (View(), View(on_image=(Refusing(),)))
    feed = Feed(real_pool(grey(200, 201)), transform(*views), draws, outliers=outlier_pool(grey(7)))
    (batch,) = feed.batches(0, 1)
    assert len(batch.views) == 2
    assert values(batch.outliers) == [7, 7]


def test_a_worker_that_dies_ends_the_training_in_one_line():
    feed = Feed(real_pool(grey(1, 2)), transform(View(on_image=(Dying(),))), Draws(2, batch_size=2))
    with pytest.raises(OodkitError, match=r"a process that decodes images died, .* run again with fewer --workers"):
        list(feed.batches(0, 2, workers=1))


def test_signals_to_all_processes_of_a_program_do_not_end_its_workers(full_feed):
    """The loop ends its step, saves and stops; a worker that died of Ctrl-C would stop it before."""
    expected = list(full_feed.batches(0, 30, workers=0))
    batches = full_feed.batches(0, 30, workers=2)
    begun = [next(batches), next(batches)]  # one of each worker: both have begun
    for worker in multiprocessing.active_children():
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
    assert_equal([*begun, *batches], expected)


def test_hostile_names_are_spelled_out():
    class Hostile(ArraySet):
        def image_name(self, index):
            return "\x1b[31mred"

    draws = Draws(2, batch_size=2)
    feed = Feed(real_pool(grey(20, 200, kind=Hostile, spec="s\n")), transform(View(on_image=(Refusing(),))), draws)
    list(feed.batches(0, 1))
    assert all(name.isprintable() for name in feed.unreadable)


def test_real_and_synthetic_images_keep_their_labels_and_their_share():
    """Real greys are odd, synthetic ones even; 3 of 4 are real. The pool's labels count, not those of its set."""
    real, synthetic = grey(101, 103, 105, 107), grey(100, 102)
    pool, _ = synthetic_pool(synthetic, None, 2)
    feed = Feed(real_pool(real, 1 - real.labels), transform(), Draws(4, synthetic=2, alpha=0.75, batch_size=4), synthetic=pool)
    labels = {101: 1, 103: 0, 105: 1, 107: 0, 100: 0, 102: 1}
    for batch in feed.batches(0, 6, workers=0):
        shown = values(batch.images)
        assert sum(value % 2 for value in shown) == 3
        assert batch.labels.tolist() == [labels[value] for value in shown]
