"""Thresholds and p-values: arithmetic by hand, and the promise of split-conformal ranks on thousands of splits."""

import math

import numpy as np
import pytest
from scipy.stats import beta, kstest

from oodkit.calibration import Calibration
from oodkit.errors import UsageError

NAN = float("nan")


class TestByHand:
    def test_nine_scores_at_a_fifth(self) -> None:
        """k = floor(0.2 · 10) = 2, so the threshold is the second smallest; p = (1 + scores at or below) / 10."""
        calibration = Calibration(np.array([9, 1, 8, 2, 7, 3, 6, 4, 5]), 0.2)
        assert calibration.scores.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert (calibration.rank, calibration.threshold) == (2, 2.0)
        assert calibration.accepts([0, 1.99, 2, 2.01, 99, NAN]).tolist() == [False, False, True, True, True, False]
        np.testing.assert_array_equal(calibration.p_values([0, 1.99, 2, 2.01, 99, NAN]), [0.1, 0.2, 0.3, 0.3, 1.0, NAN])

    def test_infinite_scores_are_judged_as_a_detector_judges_them(self) -> None:
        calibration = Calibration(np.arange(9.0), 0.2)
        assert calibration.accepts([math.inf, -math.inf, 5]).tolist() == [False, False, True]
        np.testing.assert_array_equal(calibration.p_values([math.inf, -math.inf, 5]), [NAN, NAN, 0.7])

    @pytest.mark.parametrize(
        ("alpha", "count", "rank"), [(0.29, 99, 29), (0.07, 99, 7), (0.1, 29, 3), (0.05, 19, 1), (1 / 3, 2, 0)]
    )
    def test_the_rank_takes_alpha_for_the_decimal_that_it_is_written_as(self, alpha: float, count: int, rank: int) -> None:
        """0.29 · 100 is 28.999999999999996 in floating point; the double nearest to 1/3 is written below it, times 3 below 1."""
        assert Calibration(np.arange(count), alpha).rank == rank

    def test_too_few_scores_reject_nothing_and_it_says_how_many_would_do(self) -> None:
        few = Calibration([0.5] * 18, 0.05)
        assert few.threshold == -math.inf
        assert few.accepts([-1e300, NAN]).tolist() == [True, False]
        assert few.caution() == "18 calibration images reject nothing at alpha 0.05: give at least 19"
        enough = Calibration([0.5] * 19, 0.05)
        assert enough.caution() is None
        assert enough.accepts([0.4, 0.5]).tolist() == [False, True]

    @pytest.mark.parametrize("ties", [False, True])
    @pytest.mark.parametrize("alpha", [0.01, 0.05, 0.29, 0.5, 0.999])
    def test_an_image_is_rejected_where_its_p_value_is_at_most_alpha(self, alpha: float, ties: bool) -> None:
        rng = np.random.default_rng(0)
        scores, others = rng.normal(size=(2, 199))
        scores, others = (scores.round(1), others.round(1)) if ties else (scores, others)
        calibration = Calibration(scores, alpha)
        np.testing.assert_array_equal(calibration.accepts(others), calibration.p_values(others) > alpha + 1e-12)

    def test_it_keeps_a_copy_of_its_own(self) -> None:
        scores = np.array([1.0, 2.0, 3.0])
        calibration = Calibration(scores, 0.5)
        scores[:] = 7
        assert calibration.scores.tolist() == [1, 2, 3]

    @pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, NAN, math.inf, True, "0.05", None])
    def test_other_levels_are_refused(self, alpha: object) -> None:
        with pytest.raises(UsageError, match=r"alpha, the share of ID images that may be rejected, lies above 0 and below 1, got"):
            Calibration([1.0], alpha)

    @pytest.mark.parametrize(
        ("scores", "message"),
        [
            ([], r"at least one ID image, \(n,\), got \(0,\)"),
            ([[1.0]], r"\(n,\), got \(1, 1\)"),
            ([1.0, NAN, math.inf], "calibration scores are finite, got 2 of 3 that are not"),
            (["a"], "scores are an array of real numbers, got list"),
            (np.array([1j]), "scores are an array of real numbers, got ndarray"),
        ],
    )
    def test_other_scores_are_refused(self, scores: list[object], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            Calibration(scores, 0.05)


SPLITS, CALIBRATED, POOL = 2000, 199, 20_000


def rejected_shares(pool: np.ndarray, alpha: float, seed: int = 0) -> np.ndarray:
    """(SPLITS,) the share of the rest of the pool that is rejected, for each of many random choices of calibration images."""
    rng = np.random.default_rng(seed)
    shares = np.empty(SPLITS)
    for split in range(SPLITS):
        chosen = rng.choice(len(pool), CALIBRATED, replace=False)
        rejected = ~Calibration(pool[chosen], alpha).accepts(pool)
        shares[split] = (rejected.sum() - rejected[chosen].sum()) / (len(pool) - CALIBRATED)
    return shares


class TestThePromise:
    """At level alpha the rejected share of ID images is k / (n + 1) over all splits, k = floor(alpha (n + 1)), and of one
    calibration it is drawn from Beta(k, n + 1 − k)."""

    @pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.333])
    def test_the_rejected_share_is_alpha_within_its_sampling_error(self, alpha: float) -> None:
        """The mean within 4 standard errors; the spread within 8 %, 5 times what it scatters by over 2,000 splits."""
        shares = rejected_shares(np.random.default_rng(1).standard_t(3, POOL), alpha)
        rank = math.floor(alpha * (CALIBRATED + 1) + 1e-9)
        law = beta(rank, CALIBRATED + 1 - rank)
        assert abs(shares.mean() - rank / (CALIBRATED + 1)) < 4 * law.std() / math.sqrt(SPLITS)
        assert shares.std() == pytest.approx(law.std(), rel=0.08)
        assert alpha - 1 / (CALIBRATED + 1) < law.mean() <= alpha

    def test_its_law_is_the_beta_law(self) -> None:
        """Kolmogorov and Smirnov's test finds no difference. It would of Beta(k + 1, n − k), which an off-by-one rank gives."""
        shares = rejected_shares(np.random.default_rng(2).normal(size=POOL), 0.05)
        assert kstest(shares, beta(10, 190).cdf).pvalue > 0.01
        assert kstest(shares, beta(11, 189).cdf).pvalue < 1e-6

    @pytest.mark.parametrize("values", [2, 5, 40])
    @pytest.mark.parametrize("alpha", [0.05, 0.3])
    def test_with_heavy_ties_it_is_at_most_alpha(self, alpha: float, values: int) -> None:
        """All scores are one of a few values: an image as good as the threshold is accepted."""
        shares = rejected_shares(np.random.default_rng(3).integers(0, values, POOL).astype(float), alpha)
        error = math.sqrt(alpha * (1 - alpha) / CALIBRATED / SPLITS)
        assert shares.mean() <= alpha + 4 * error

    def test_p_values_of_id_images_are_at_most_uniform(self) -> None:
        """Without ties they are 1/(n + 1), … 1 with equal chances: of 200,000, the share at or below u is u for each of them."""
        rng = np.random.default_rng(4)
        found = np.concatenate([Calibration(own[:19], 0.05).p_values(own[19:]) for own in rng.normal(size=(20_000, 29))])
        for rank in range(1, 21):
            assert abs((found <= rank / 20 + 1e-12).mean() - rank / 20) < 0.01

    def test_a_calibration_of_the_test_images_own_size_keeps_it_too(self) -> None:
        """Exchangeability is all that it takes: scores of a mixture, calibrated and tested in halves of 40, at 1 in 41."""
        rng = np.random.default_rng(5)
        shares = []
        for _ in range(SPLITS):
            scores = np.where(rng.random(80) < 0.3, rng.normal(-5, 0.1, 80), rng.normal(5, 3, 80))
            shares.append(1 - Calibration(scores[:40], 1 / 41).accepts(scores[40:]).mean())
        assert abs(np.mean(shares) - 1 / 41) < 4 * np.std(shares) / math.sqrt(SPLITS)
