"""Which scorers the images can tell from the best, and which of those is simplest to deploy."""

import numpy as np
import pytest

from oodkit.delong import compare_aurocs
from oodkit.evaluation import results, results_and_placements
from oodkit.lead import Lead
from oodkit.metrics import Estimate
from oodkit.rivals import Rival, rivals_of_the_best
from oodkit.scoring import Scored
from oodkit.verdict import give_verdict

GROUPS = {"a": "near", "b": "far", "c": "far"}


def scored(name: str, distance: float, fits_on: str | None = None, reason: str | None = None) -> Scored:
    """The same 200 ID images and three times 100 OOD images, with the same noise, whose means lie ``distance`` apart."""
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(distance, 1, 200), {name: rng.normal(0, 1, 100) for name in GROUPS}
    own = np.random.default_rng(len(name))
    inside = inside + own.normal(0, 0.2, 200)
    given = (np.empty(0), {}) if reason else (inside, outside)
    return Scored(name, name, {}, fits_on, 0, *given, 200, dict.fromkeys(GROUPS, 100), reason=reason)


def test_every_other_scorer_is_compared_with_the_best_on_the_mean_of_near_and_far():
    """As ``compare_aurocs`` has it, with near set ½ and far sets ¼ each; what gave no scores is no rival."""
    every = [
        scored("msp", 1.5),
        scored("gmm", 2.0, "train"),
        scored("mls", 1.9),
        scored("vim", 2, "train", "needs training images"),
    ]
    found = rivals_of_the_best(*results_and_placements(every, GROUPS)[:2])
    assert [one.scorer for one in found] == ["mls", "msp"]
    best = every[1]
    for rival, one in zip(found, (every[2], every[0]), strict=True):
        scores = [[own.ood_scores[name] for name in GROUPS] for own in (one, best)]
        other = compare_aurocs(one.id_scores, scores[0], best.id_scores, scores[1], [0.5, 0.25, 0.25])
        assert (rival.difference, rival.low, rival.high) == pytest.approx((other.difference, other.low, other.high))
        assert rival.p_value == pytest.approx(other.p_value)
        assert rival.difference < 0


def test_one_scorer_has_no_rival_and_none_at_all_neither():
    for every in ([scored("mls", 1)], [scored("mls", 1, reason="NaN")]):
        assert rivals_of_the_best(*results_and_placements(every, GROUPS)[:2]) == []


def rival(scorer: str, p: float) -> Rival:
    return Rival(scorer, -0.01, -0.02, 0.0, p)


def first_advice(every: list[Scored], *rivals: Rival) -> str:
    return give_verdict("net", Estimate(0.9, 0.88, 0.92), 10, Lead(), results(every, GROUPS), rivals=rivals).advice[0].text


def test_the_simplest_of_those_not_told_from_the_best_is_named():
    """odin learns nothing either, but runs the network again; p = 0.04 tells, p = 0.06 does not."""
    every = [scored("gmm", 3, "train"), scored("knn", 2.5, "train"), scored("odin", 2.4), scored("mls", 2), scored("msp", 1)]
    equal = [rival("knn", 0.9), rival("odin", 0.5), rival("mls", 0.04), rival("msp", 0.06)]
    assert first_advice(every, *equal).endswith(
        "msp, which learns from no images, is not told apart from it by the paired DeLong test."
    )
    assert "not told apart" not in first_advice(every, *equal[:3])


def test_where_the_best_learns_from_nothing_none_is_simpler():
    every = [scored("mls", 3), scored("msp", 1)]
    assert "not told apart" not in first_advice(every, rival("msp", 0.9))
