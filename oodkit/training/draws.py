"""Which image stands where in which batch: a function of the seed and the step, so that nothing random is ever stored."""

import hashlib
import math
from collections.abc import Sized
from typing import Literal, NamedTuple

import numpy as np

from oodkit.errors import UsageError
from oodkit.training.settings import Settings

Source = Literal["real", "synthetic", "outlier"]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014
MIXERS = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


class Key(NamedTuple):
    """One image of a batch. position: in the images of its source. seed: of its augmentation, in [0, 2⁶³)."""

    source: Source
    position: int
    seed: int


class Draws:
    """The batches of a whole training, one process's part of each, by the number of the step alone.

    real, synthetic, outliers: how many images there are of each. alpha: the share of real images in a batch, SIO's α
    (arXiv:2303.14531); at 1 the synthetic images are never drawn. batch_size: images of one process in a step, real and synthetic
    together. outlier_batch: outliers beside them, None = twice as many. world, rank: the processes, and which of them this is.
    repeats: how often an image, no outlier, comes in a row, augmented anew each time (repeated augmentation: Hoffer et al.,
    arXiv:1901.09335).

    In each epoch every source has a permutation of its own. Step s of the epoch takes the next images of it for all processes
    together, from its start again where it runs out, and process r every ``world``-th of them from the r-th on. So every batch is
    full, holds real and synthetic images in the same ratio, and the batches of all processes together are those of one process with
    ``world`` times the batch. Inside a batch real and synthetic images are shuffled, since recipes mix neighbours. The augmentation
    of an image depends on its place in the epoch, not on the process.

    Raises UsageError for an alpha that leaves no real image, or no synthetic one below 1, in a batch.
    """

    def __init__(
        self,
        real: int,
        *,
        synthetic: int = 0,
        outliers: int = 0,
        alpha: float = 1.0,
        batch_size: int = 128,
        outlier_batch: int | None = None,
        world: int = 1,
        rank: int = 0,
        repeats: int = 1,
        seed: int = 0,
    ) -> None:
        reals = _reals_per_batch(alpha, batch_size, synthetic)
        self.batch_size, self.real_per_batch, self.synthetic_per_batch = batch_size, reals, batch_size - reals
        self.outliers_per_batch = (2 * batch_size if outlier_batch is None else outlier_batch) if outliers else 0
        self.steps_per_epoch = math.ceil(real / (batch_size * world))
        self._sizes: dict[Source, int] = {"real": real, "synthetic": synthetic, "outlier": outliers}
        self._world, self._rank, self._repeats, self._seed = world, rank, repeats, seed
        self._orders: dict[Source, tuple[int, np.ndarray]] = {}

    @property
    def real_per_step(self) -> int:
        """Of all processes together."""
        return self.real_per_batch * self._world

    def batch(self, step: int) -> list[Key]:
        """The ``batch_size`` images of this process in step ``step`` of the training, from 0, and behind them the outliers."""
        keys = [*self._next("real", step, self.real_per_batch), *self._next("synthetic", step, self.synthetic_per_batch)]
        shuffled = _order(len(keys), self._seed, "batch", step, self._rank)
        return [*(keys[place] for place in shuffled), *self._next("outlier", step, self.outliers_per_batch)]

    def _next(self, source: Source, step: int, count: int) -> list[Key]:
        """The ``count`` images that this process takes of a source in a step."""
        if not count:
            return []
        epoch, step_of_epoch = divmod(step, self.steps_per_epoch)
        slots = (step_of_epoch * count + np.arange(count)) * self._world + self._rank
        times = 1 if source == "outlier" else self._repeats
        positions = self._epoch_order(source, epoch)[slots // times % self._sizes[source]]
        seeds = _mixed(_hash(self._seed, source, epoch), slots)
        return [Key(source, *drawn) for drawn in zip(positions.tolist(), seeds.tolist(), strict=True)]

    def _epoch_order(self, source: Source, epoch: int) -> np.ndarray:
        """The permutation of a source in an epoch; only the one that was asked for last is kept."""
        known, order = self._orders.get(source, (-1, np.empty(0)))
        if known != epoch:
            order = _order(self._sizes[source], self._seed, source, epoch)
            self._orders[source] = epoch, order
        return order


def draws_of(
    settings: Settings, real: Sized, synthetic: Sized | None, outliers: Sized | None, *, world: int = 1, rank: int = 0
) -> Draws:
    """The batches of process ``rank``. Raises UsageError for an alpha that does not suit them."""
    return Draws(
        len(real),
        synthetic=len(synthetic or ()),
        outliers=len(outliers or ()),
        alpha=settings.alpha,
        batch_size=settings.batch_size,
        outlier_batch=settings.outlier_batch,
        world=world,
        rank=rank,
        repeats=settings.repeats,
        seed=settings.seed,
    )


def share_of_pool(real: int, synthetic: int) -> float:
    """The share of real images where both are poured together: naive mixing (SIO, arXiv:2303.14531, section 4)."""
    return real / (real + synthetic)


def _reals_per_batch(alpha: float, batch_size: int, synthetic: int) -> int:
    reals = round(alpha * batch_size)
    if alpha < 1 and not synthetic:
        raise UsageError(
            f"alpha {alpha:g}, the share of real images, needs synthetic images beside them, got none; name a set of them"
        )
    if reals < 1:
        raise UsageError(f"alpha {alpha:g} leaves no real image in a batch of {batch_size}; raise alpha or the batch size")
    if alpha < 1 and reals == batch_size:
        raise UsageError(f"alpha {alpha:g} leaves no synthetic image in a batch of {batch_size}; lower it or raise the batch size")
    return reals


def _order(count: int, *what: object) -> np.ndarray:
    """A permutation of ``count`` that belongs to ``what``."""
    # NumPy promises the raw stream of a bit generator for good, and not what its shuffles make of it
    return np.random.PCG64(_hash(*what)).random_raw(count).argsort(kind="stable")


def _mixed(start: int, slots: np.ndarray) -> np.ndarray:
    """A number in [0, 2⁶³) for each of the slots (n,): SplitMix64 from ``start`` on."""
    mixed = np.uint64(start) + (slots.astype(np.uint64) + np.uint64(1)) * GOLDEN
    for shift, factor in MIXERS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    return (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)


def _hash(*what: object) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(map(str, what)).encode(), digest_size=8).digest(), "big")
