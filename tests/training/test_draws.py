"""Which image stands where in which batch: counts, orders and seeds, against a plain account of them."""

from collections import Counter
from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oodkit.errors import UsageError
from oodkit.training.draws import Draws, Key, share_of_pool

DRAWN = [
    Key("real", 4, 7776676248208441246),
    Key("real", 5, 8608234181752491708),
    Key("synthetic", 1, 8982988016183562142),
    Key("synthetic", 2, 8018582947624622348),
]  # step 5 of 10 real and 3 synthetic images, 2 + 2 a batch, seed 1: frozen, not derived
seeded = settings(deadline=None, derandomize=True, database=None)
SIZES = st.integers(1, 60)
BATCHES = st.integers(2, 24)
WORLDS = st.integers(1, 4)
SEEDS = st.integers(0, 5)


def epoch(draws, number=0):
    """The batches of an epoch, one after the other."""
    first = number * draws.steps_per_epoch
    return [draws.batch(step) for step in range(first, first + draws.steps_per_epoch)]


def positions(keys, source="real"):
    return [key.position for key in keys if key.source == source]


def order(source, size, seed, number=0):
    """The permutation of an epoch, image by image, as batches of one image of the source show it."""
    alone = {"real": {"real": size, "batch_size": 1}, "synthetic": {"real": 2 * size, "batch_size": 2, "alpha": 0.5}}[source]
    return [one for batch in epoch(Draws(**alone, synthetic=size, seed=seed), number) for one in positions(batch, source)]


def together(world, step, **options):
    """What all the processes draw in a step."""
    return [key for rank in range(world) for key in Draws(**options, world=world, rank=rank).batch(step)]


def test_batches_by_hand():
    """5 images in batches of 2: 3 steps, of which the last wraps around to the epoch's first image."""
    draws = Draws(5, batch_size=2)
    first, second, third = (positions(batch) for batch in epoch(draws))
    assert draws.steps_per_epoch == 3
    assert sorted({*first, *second, *third}) == [0, 1, 2, 3, 4]
    assert set(third) & set(first)


@seeded
@given(SIZES, SIZES, BATCHES, WORLDS, SEEDS)
def test_without_synthetic_images_in_the_batches_they_change_nothing(real, synthetic, batch, world, seed):
    """α = 1 is plain training, step for step, image for image, seed for seed."""
    same = {"batch_size": batch, "world": world, "rank": world - 1, "seed": seed}
    plain, sio = Draws(real, **same), Draws(real, synthetic=synthetic, alpha=1.0, **same)
    steps = range(2 * plain.steps_per_epoch + 1)
    assert [plain.batch(step) for step in steps] == [sio.batch(step) for step in steps]


@seeded
@given(SIZES, SIZES, BATCHES, WORLDS, st.floats(0.01, 0.99), SEEDS)
def test_every_batch_of_every_process_keeps_the_ratio_and_the_epoch_its_steps(real, synthetic, batch, world, share, seed):
    """round(α · B) real images, the rest synthetic, ⌈N / (B · W)⌉ times."""
    assume(0 < round(share * batch) < batch)
    for rank in range(world):
        draws = Draws(real, synthetic=synthetic, alpha=share, batch_size=batch, world=world, rank=rank, seed=seed)
        assert draws.steps_per_epoch == ceil(real / (batch * world))
        for keys in [*epoch(draws), *epoch(draws, 1)]:
            reals = round(share * batch)
            assert Counter(key.source for key in keys) == {"real": reals, "synthetic": batch - reals}


def test_the_published_share_of_sio():
    """α = 0.8 of 128: 102 real and 26 synthetic images, 391 steps for 50,000 images, as in SIO's own training."""
    draws = Draws(50_000, synthetic=1_000_000, alpha=0.8, batch_size=128)
    assert (draws.real_per_batch, draws.synthetic_per_batch, draws.steps_per_epoch) == (102, 26, 391)


@seeded
@given(SIZES, BATCHES, WORLDS, SEEDS)
def test_an_epoch_shows_every_real_image_as_often_as_the_others_or_once_more(real, batch, world, seed):
    """The batches fill up from the epoch's start: its counts differ by one at most, and sum to steps · B · W."""
    steps = Draws(real, batch_size=batch, world=world).steps_per_epoch
    drawn = [key for step in range(steps) for key in together(world, step, real=real, batch_size=batch, seed=seed)]
    counts = np.bincount(positions(drawn), minlength=real)
    assert counts.sum() == steps * batch * world
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1


@seeded
@given(SIZES, SIZES, BATCHES, WORLDS, SEEDS, st.integers(0, 2))
def test_each_step_takes_the_next_images_of_the_permutation_and_wraps(real, synthetic, half, world, seed, number):
    """Half real, half synthetic; of an epoch's permutation written over and over, step s has the s-th slice."""
    options = {"real": real, "synthetic": synthetic, "alpha": 0.5, "batch_size": 2 * half, "seed": seed}
    steps = Draws(**options, world=world).steps_per_epoch
    for source, size in (("real", real), ("synthetic", synthetic)):
        permutation = order(source, size, seed, number)
        assert sorted(permutation) == list(range(size))
        wrapped = np.resize(permutation, (steps, half * world))
        for step in range(steps):
            drawn = positions(together(world, number * steps + step, **options), source)
            assert sorted(drawn) == sorted(wrapped[step])


@seeded
@given(SIZES, BATCHES, WORLDS, st.integers(1, 4), SEEDS, st.integers(0, 40))
def test_the_processes_together_draw_the_batch_of_one(real, batch, world, repeats, seed, step):
    """Images and the seeds of their augmentations, with outliers beside them; only the order differs."""
    options = {"real": real, "outliers": 7, "repeats": repeats, "seed": seed}
    parts = together(world, step, **options, batch_size=batch, outlier_batch=3)
    whole = Draws(**options, batch_size=batch * world, outlier_batch=3 * world).batch(step)
    assert sorted(parts) == sorted(whole)


@seeded
@given(SIZES, SIZES, SIZES, BATCHES, SEEDS, st.permutations(range(12)))
def test_a_batch_depends_on_its_step_alone(real, synthetic, outliers, batch, seed, steps):
    """Whatever was drawn before, or was not, as after a stop: the batch is the same."""
    options = {"real": real, "synthetic": synthetic, "outliers": outliers, "alpha": 0.5, "batch_size": batch, "seed": seed}
    used = Draws(**options)
    drawn = {step: used.batch(step) for step in steps}
    assert all(drawn[step] == Draws(**options).batch(step) for step in drawn)


def test_epochs_steps_processes_and_seeds_differ():
    def draws(**options):
        return Draws(1000, synthetic=1000, outliers=1000, alpha=0.5, batch_size=100, **options)

    first = epoch(draws())
    for other in (epoch(draws(), 1), epoch(draws(seed=1)), epoch(draws(world=2)), epoch(draws(world=2, rank=1))):
        for source in ("real", "synthetic", "outlier"):
            assert [positions(keys, source) for keys in first] != [positions(keys, source) for keys in other]
    sources = [positions([key for keys in first for key in keys], source)[:500] for source in ("real", "synthetic", "outlier")]
    assert sources[0] != sources[1] != sources[2] != sources[0]


def test_a_seed_belongs_to_one_draw():
    """Not to an image: the one that comes again, in this epoch, in the next, or repeated, is augmented otherwise."""
    draws = Draws(10, synthetic=3, outliers=2, alpha=0.5, batch_size=4, repeats=2)
    keys = [key for number in range(50) for batch in epoch(draws, number) for key in batch]
    seeds = [key.seed for key in keys]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert {seed >> 58 for seed in seeds} == set(range(32)), "the seeds do not spread over their range"


def test_real_and_synthetic_images_are_mixed_inside_a_batch():
    """Recipes that mix neighbours would else mix real with real ones only."""
    draws = Draws(1000, synthetic=1000, alpha=0.5, batch_size=10)
    places = np.array([[key.source == "real" for key in draws.batch(step)] for step in range(100)])
    assert places.mean(0).min() > 0.3
    assert places.mean(0).max() < 0.7


@pytest.mark.parametrize("world", [1, 2, 4])
def test_repeated_images_come_in_one_step_and_spread_over_the_processes(world):
    """4 times each; of 4 processes each has one, as in torchvision; ⌈N / (B · W)⌉ steps see N / 4 images."""
    draws = [Draws(64, batch_size=4, world=world, rank=rank, repeats=4) for rank in range(world)]
    assert draws[0].steps_per_epoch == 16 // world
    seen = []
    for step in range(draws[0].steps_per_epoch):
        of_ranks = [positions(one.batch(step)) for one in draws]
        assert all(Counter(found) == Counter(dict.fromkeys(found, 4 // world)) for found in of_ranks)
        assert all(set(found) == set(of_ranks[0]) for found in of_ranks)
        seen += set(of_ranks[0])
    assert len(seen) == len(set(seen)) == 16


def test_synthetic_images_are_repeated_as_real_ones_are_and_outliers_are_not():
    """Both halves of a batch are made in the same way, or the network could tell them apart by it."""
    keys = Draws(64, synthetic=64, outliers=64, alpha=0.5, batch_size=16, repeats=4).batch(0)
    assert set(Counter(positions(keys, "real")).values()) == set(Counter(positions(keys, "synthetic")).values()) == {4}
    assert set(Counter(positions(keys, "outlier")).values()) == {1}


def test_outliers_stand_behind_the_images_and_wrap_in_an_order_of_their_own():
    draws = Draws(12, outliers=5, batch_size=4, outlier_batch=10)
    for keys in epoch(draws):
        assert [key.source for key in keys] == ["real"] * 4 + ["outlier"] * 10
        assert Counter(positions(keys, "outlier")) == dict.fromkeys(range(5), 2)
    assert Draws(12, outliers=5, batch_size=4).outliers_per_batch == 8
    assert Draws(12, batch_size=4, outlier_batch=10).outliers_per_batch == 0


def test_numbers_of_numpy_draw_what_pythons_do():
    drawn = Draws(np.int64(10), synthetic=np.int64(3), alpha=np.float64(0.5), batch_size=np.int64(4), seed=np.int64(1)).batch(
        np.int64(5)
    )
    assert drawn == DRAWN
    assert all(type(number) is int for key in drawn for number in key[1:])


def test_what_is_drawn_stays_the_same_with_the_next_release():
    """A stopped training goes on to equal weights only if batches are drawn as before; whoever changes this must say so."""
    assert Draws(10, synthetic=3, alpha=0.5, batch_size=4, seed=1).batch(5) == DRAWN


def test_few_images_are_remembered_at_once():
    """One epoch's order of a source at a time."""
    draws = Draws(100_000, synthetic=1000, alpha=0.5, batch_size=50_000)
    for step in (0, 2, 4, 60):
        draws.batch(step)
    assert sum(order.nbytes for _, order in draws._orders.values()) == 8 * 101_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.8}, "alpha 0.8, the share of real images, needs synthetic images beside them, got none; name a set of them"),
        (
            {"alpha": 0.01, "synthetic": 5},
            "alpha 0.01 leaves no real image in a batch of 8; raise alpha or the batch size",
        ),
        (
            {"alpha": 0.99, "synthetic": 5},
            "alpha 0.99 leaves no synthetic image in a batch of 8; lower it or raise the batch size",
        ),
    ],
)
def test_a_share_that_leaves_a_batch_without_a_source_is_refused(options, message):
    with pytest.raises(UsageError) as refused:
        Draws(100, batch_size=8, **options)
    assert str(refused.value) == message


def test_naive_mixing_by_hand():
    """50,000 real beside 1,000,000 synthetic images: 1 in 21."""
    assert share_of_pool(50_000, 1_000_000) == pytest.approx(1 / 21)
    assert share_of_pool(3, 1) == 0.75
