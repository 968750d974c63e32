import math

import numpy as np
import pytest
import torch
from scipy import stats

from oodkit.errors import NotApplicableError, UsageError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scorers.openmax import gumbel

NOTHING = torch.zeros(1, dtype=torch.float64)


def of_logits(logits, labels=None):
    logits = torch.as_tensor(logits, dtype=torch.float64)
    return Outputs(logits.float(), None if labels is None else torch.as_tensor(labels), logits=logits)


def random_logits(rows, classes, seed):
    """Most are largest at the label; every class spreads in its own way."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % classes
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * (1 + labels[:, None] / classes)
    logits[torch.arange(rows), labels] += 4
    return of_logits(logits, labels)


def weibull(tail):
    """F of a distance as libmr has it: the Weibull distribution from 0 fitted to 10000 + d − min d, by scipy's own optimiser."""
    moved = 10000 + tail - tail.min()
    with np.errstate(over="ignore"):  # on the optimiser's way
        shape, _, scale = stats.weibull_min.fit(moved, 10000 / (0.78 * tail.std()), floc=0, scale=moved.mean())
    return lambda d: stats.weibull_min.cdf(10000 + d - tail.min(), shape, scale=scale)


def by_hand(train, tail, alpha):
    """Class by class and image by image: (C, C) mean logits of the correct images, and F for every class."""
    z, y = train.logits.numpy(), train.labels.numpy()
    own = [z[(y == c) & (z.argmax(1) == c)] for c in range(z.shape[1])]
    means = [rows.mean(0) for rows in own]
    fits = [weibull(np.sort(np.linalg.norm(rows - mean, axis=1))[-tail:]) for rows, mean in zip(own, means, strict=True)]

    def score(row):
        revised = row.copy()
        for rank, c in enumerate(np.argsort(-row)[:alpha]):
            revised[c] *= 1 - (alpha - rank) / alpha * fits[c](np.linalg.norm(row - means[c]))
        unknown = (row - revised).sum()
        return -math.exp(unknown) / (np.exp(revised).sum() + math.exp(unknown))

    return score


@pytest.mark.parametrize(("tail", "alpha"), [(20, 3), (10, 4)])
def test_against_openmax_written_out_with_a_weibull_fit(tail, alpha):
    """The original's −exp(z_u) / (Σ exp z'_c + exp z_u) is −1 / (exp(lse(z') − z_u) + 1)."""
    train, test = random_logits(200, 4, 0), random_logits(20, 4, 1)
    expected = [by_hand(train, tail, alpha)(row) for row in test.logits.numpy()]
    found = make_scorer("openmax", tail=tail, alpha=alpha).fit(train).score(test)
    np.testing.assert_allclose(-1 / (np.exp(found.numpy()) + 1), expected, atol=1e-3)


@pytest.mark.parametrize("count", [2, 3, 20, 200])
def test_the_fit_is_the_likeliest_gumbel_distribution(count):
    """Of every row at once; scipy's optimiser finds the same."""
    rows = np.random.default_rng(0).gamma(3, size=(4, count)) * [[1], [50], [1e-3], [7]] + [[0], [900], [2], [3]]
    location, scale = gumbel(torch.from_numpy(rows), torch.zeros(4, dtype=torch.float64))
    for row, m, s in zip(rows, location, scale, strict=True):
        expected = stats.gumbel_l.fit(row)
        assert (float(m), float(s)) == pytest.approx(expected, rel=1e-5)


def test_the_fit_is_libmrs_weibull_to_2e_4():
    tail = np.sort(np.random.default_rng(1).normal(10, 2, size=200))[-20:]
    location, scale = (one.item() for one in gumbel(torch.from_numpy(tail)[None], NOTHING))
    distances = np.linspace(5, 25, 200)
    np.testing.assert_allclose(stats.gumbel_l.cdf(distances, location, scale), weibull(tail)(distances), atol=2e-4)


def test_a_row_with_fewer_values_is_fitted_to_those_it_has():
    full, short = torch.tensor([[3.0, 2.5, 1.0]]).double(), torch.tensor([[3.0, 2.5, 1.0, -torch.inf, -torch.inf]]).double()
    torch.testing.assert_close(gumbel(short, NOTHING), gumbel(full, NOTHING))


@pytest.mark.parametrize("values", [[-math.inf, -math.inf], [5.0, -math.inf], [5.0, 5.0]])
def test_without_two_different_values_nothing_counts_as_far(values):
    location, scale = gumbel(torch.tensor([values]).double(), NOTHING)
    assert (location.item(), scale.item()) == (math.inf, 1)


def test_a_class_that_can_not_be_fitted_keeps_its_logits():
    """No image of class 1 is classified as such, one of class 2 is: their logits stay, so that the score is the energy."""
    train = random_logits(300, 3, 0)
    z, y = train.logits.clone(), train.labels
    z[y == 1, 1] = -50
    z[(y == 2).nonzero()[1:].flatten(), 2] = -50
    scorer = make_scorer("openmax", alpha=1).fit(of_logits(z, y))
    queries = of_logits([[0.0, 90, 0], [0, 0, 90], [90, 0, 0]])
    energies = queries.logits.logsumexp(1)
    assert scorer.score(queries)[:2].tolist() == energies[:2].tolist()
    assert scorer.score(queries)[2] < energies[2]
    expected = "2 of 3 classes have fewer than 20 correctly classified images, of which 2 too few to fit, so that their logits stay"
    assert scorer.caution(queries).startswith(expected)


def test_identical_images_are_no_spread():
    """Their distances from their mean differ by rounding alone, which would make every other image infinitely far."""
    row = torch.tensor([1e4, -1e4 / 3, 7.7], dtype=torch.float64)
    train = torch.cat([row.expand(7, 3), random_logits(90, 3, 0).logits[1::3]])
    scorer = make_scorer("openmax").fit(of_logits(train, [0] * 7 + [1] * 30))
    assert scorer.state["location"][0] == math.inf


def test_classes_short_of_images_are_counted():
    train = random_logits(45, 3, 0)
    scorer = make_scorer("openmax", tail=5).fit(train)
    assert scorer.caution(train) is None
    assert make_scorer("openmax").fit(train).caution(train) == ("3 of 3 classes have fewer than 20 correctly classified images")


def test_only_correct_images_count():
    """Misclassified ones change nothing, wherever they lie."""
    train = random_logits(200, 4, 0)
    wrong = of_logits(50 * torch.eye(4, dtype=torch.float64), [1, 2, 3, 0])
    scores = [make_scorer("openmax").fit(one).score(train) for one in (train, Outputs.join([train, wrong]))]
    right = train.subset(train.predictions() == train.labels)
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=0)
    torch.testing.assert_close(make_scorer("openmax").fit(right).score(train), scores[0], rtol=1e-12, atol=1e-12)


def test_of_many_classes_one_matrix_of_mean_logits_is_made(made):
    """ImageNet-21k's is 3.6 GiB."""
    train = of_logits(torch.eye(60)[:30] + 0.1, torch.arange(30))
    with made:
        make_scorer("openmax", tail=2).fit(train)
    assert made.of_at_least(60 * 60) == ["aten.zeros.default"]


def test_no_correct_image_is_a_reason():
    train = random_logits(50, 5, 0)
    with pytest.raises(NotApplicableError, match="none among these"):
        make_scorer("openmax").fit(train.with_labels((train.predictions() + 1) % 5))


def test_large_logits_keep_their_order():
    """Exponentials of the raw logits overflow from 710 on."""
    train = random_logits(200, 4, 0)
    scores = make_scorer("openmax").fit(of_logits(1e4 * train.logits, train.labels)).score(of_logits(1e4 * train.logits))
    assert scores.isfinite().all()
    assert scores.unique().numel() == 200


def test_alpha_is_clipped_to_the_classes_and_reported():
    train = random_logits(100, 2, 0)
    assert make_scorer("openmax").fit(train).settings() == {"tail": 20, "alpha": 2}


@pytest.mark.parametrize("setting", ["tail=1", "alpha=0"])
def test_impossible_settings(setting):
    name, value = setting.split("=")
    with pytest.raises(UsageError, match="a tail of at least 2 and an alpha of at least 1"):
        make_scorer("openmax", **{name: int(value)})
