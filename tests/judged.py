"""Scores whose order is known, and the verdict on them."""

import numpy as np

from oodkit.advice import Advice
from oodkit.delong import Comparison
from oodkit.evaluation import results
from oodkit.lead import Against, Lead, knn_lead
from oodkit.metrics import Estimate
from oodkit.scoring import Scored
from oodkit.verdict import Verdict, give_verdict

GOOD = Estimate(0.9, 0.88, 0.92)
SMOOTHED = ("label smoothing 0.1",)


def scores(name: str, distance: float, seed: int = 0) -> Scored:
    """200 ID and 200 OOD scores, normal, whose means lie ``distance`` apart."""
    rng = np.random.default_rng(seed)
    inside, outside = rng.normal(distance, 1, 200), {"far": rng.normal(0, 1, 200)}
    return Scored(name, name, {"k": 50, "fraction": 1.0}, None, 1000, inside, outside, 200, {"far": 200})


def unscored(name: str) -> Scored:
    return Scored(name, name, {"k": 50}, None, 0, np.empty(0), {}, 200, {"far": 200}, reason="needs training images")


def judge(mls: Scored, knn: Scored, accuracy: Estimate = GOOD, **facts) -> Verdict:
    groups, scored = {"far": "far"}, [mls, knn]
    return give_verdict("net", accuracy, 10, knn_lead(scored, groups, 10), results(scored, groups), **facts)


def comparison(difference: float, reach: float = 0.005) -> Comparison:
    return Comparison(difference, difference - reach, difference + reach, 0.5)


def against(
    shift: float | None = 0.2, loss: float = 0.05, lead: float = 0.0, reach: float = 0.005, growth: Estimate | None = None
) -> Against:
    ratio = None if shift is None else Estimate(shift, shift - 0.01, shift + 0.01)
    return Against("plain", ratio, comparison(loss, reach), GOOD, Lead("knn", comparison(lead)), growth)


def told(verdict: Verdict, words: str) -> Advice:
    """The one piece of advice that holds these words."""
    (found,) = [advice for advice in verdict.advice if words in advice.text]
    return found


def undetermined(lead: Comparison) -> Verdict:
    rows = results([scores("mls", 2)], {"far": "far"})
    verdict = give_verdict("net", GOOD, 10, Lead("knn", lead), rows)
    assert verdict.code == "undetermined"
    return verdict
