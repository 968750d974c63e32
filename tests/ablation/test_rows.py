"""From trials to rows: means over seeds, gains paired by seed, shifts against the baseline of the seed."""

from dataclasses import replace

import numpy as np
import pytest

from oodkit.ablation import Figures, Trial
from oodkit.ablation.rows import rows_of, with_shifts
from oodkit.max_logits import shift_rows
from oodkit.scoring import Scored


def figures(auroc, accuracy=0.9, scorers=("mls",), logits=None):
    by_scorer = {scorer: {"cats": auroc, "near mean": auroc, "mean": auroc} for scorer in scorers}
    return Figures(accuracy, by_scorer, {scorer: {"cats": 1 - auroc, "mean": 1 - auroc} for scorer in scorers}, logits or {})


def trial(recipe, seed, before, after=None):
    return Trial(recipe, seed, f"{recipe}-seed{seed}", 1.0, before, after or before, None)


def test_rows_by_hand():
    """mixup is held against v1 of the same seed: 0.05 and 0.15, and not against v1's mean."""
    trials = [
        trial("v1", 0, figures(0.5, 0.8), figures(0.5, 0.85)),
        trial("mixup", 0, figures(0.55), figures(0.75)),
        trial("v1", 1, figures(0.6, 1.0), figures(0.6, 1.0)),
        trial("mixup", 1, figures(0.75), figures(0.85)),
    ]
    rows = rows_of(trials, ["v1", "mixup"], "v1")
    assert [(row.recipe, row.head) for row in rows] == [
        ("v1", "as trained"),
        ("v1", "AugDelete"),
        ("mixup", "as trained"),
        ("mixup", "AugDelete"),
    ]
    baseline, repaired, mixup, mixup_repaired = rows
    assert (baseline.gain, baseline.accuracy_gain) == (None, None)
    assert baseline.accuracy.mean == pytest.approx(0.9)
    assert baseline.accuracy.sd == pytest.approx(0.2 / 2**0.5)
    assert repaired.gain["mls"].mean == 0
    assert repaired.accuracy_gain.mean == pytest.approx(0.025)
    assert mixup.aurocs["mls"]["near mean"].mean == pytest.approx(0.65)
    assert mixup.fpr95_ood["mls"]["cats"].mean == pytest.approx(0.35)
    assert (mixup.gain["mls"].mean, mixup.gain["mls"].n) == (pytest.approx(0.1), 2)
    assert mixup.gain["mls"].high == pytest.approx(0.1 + 12.7062 * 0.05, abs=1e-4)
    assert mixup_repaired.gain["mls"].mean == pytest.approx(0.25)


def test_a_seed_that_one_side_lacks_is_no_pair():
    trials = [trial("v1", 0, figures(0.5)), trial("mixup", 0, figures(0.6)), trial("mixup", 1, figures(0.9))]
    mixup = rows_of(trials, ["v1", "mixup"], "v1")[2]
    assert (mixup.accuracy.n, mixup.aurocs["mls"]["mean"].n) == (2, 2)
    assert (mixup.gain["mls"].n, mixup.gain["mls"].mean, mixup.gain["mls"].p) == (1, pytest.approx(0.1), None)


def test_without_the_baseline_there_is_no_gain_and_no_shift():
    trials = with_shifts([trial("mixup", 0, figures(0.6))], "v1")
    rows = rows_of(trials, ["v1", "mixup"], "v1")
    assert [(row.recipe, row.gain, row.accuracy_gain, row.shift) for row in rows] == [("mixup", None, None, None)] * 2


def test_a_scorer_that_failed_once_has_one_seed_less():
    trials = [
        trial("v1", 0, figures(0.5, scorers=("mls", "knn"))),
        trial("v1", 1, figures(0.6)),
        trial("mixup", 0, figures(0.7, scorers=("mls", "knn"))),
        trial("mixup", 1, figures(0.9, scorers=("mls", "knn"))),
    ]
    _, _, mixup, _ = rows_of(trials, ["v1", "mixup"], "v1")
    assert mixup.aurocs["knn"]["mean"].n == 2
    assert (mixup.gain["mls"].n, mixup.gain["knn"].n) == (2, 1)


def test_the_shift_is_that_of_a_diagnosis():
    """Of the mean logits alone, to rounding what ``max_logits.shift_rows`` makes of every image's."""
    rng = np.random.default_rng(0)

    def scored(scale):
        inside, outside = scale * rng.normal(10, 1, 50), scale * rng.normal(7, 1, 40)
        return Scored("mls", "mls", {}, None, 0, inside, {"cats": outside}, 50, {"cats": 40})

    baseline, model = scored(1), scored(0.6)
    (expected,) = shift_rows(model, baseline, {"cats": "near"})
    logits = [{"id": float(one.id_scores.mean()), "cats": float(one.ood_scores["cats"].mean())} for one in (baseline, model)]
    trials = [trial("v1", 3, figures(0.5, logits=logits[0])), trial("mixup", 3, figures(0.5, logits=logits[1]))]
    plain, mixup = with_shifts(trials, "v1")
    assert plain.shift is None
    for name in ("r_id", "r_ood", "ratio"):
        assert mixup.shift["cats"][name] == pytest.approx(getattr(expected, name).value, abs=1e-14)
    row = rows_of([plain, mixup], ["v1", "mixup"], "v1")[2]
    assert row.shift["cats"].mean == mixup.shift["cats"]["ratio"]
    assert rows_of([plain, mixup], ["v1", "mixup"], "v1")[3].shift is None


def test_the_shift_by_hand():
    """From 10 to 4 and from 8 to 6: r_id 0.6, r_ood 0.25, ratio 0.35/0.75."""
    trials = [
        trial("v1", 0, figures(0.5, logits={"id": 10.0, "cats": 8.0})),
        trial("mixup", 0, figures(0.5, logits={"id": 4.0, "cats": 6.0})),
    ]
    shift = with_shifts(trials, "v1")[1].shift["cats"]
    assert shift == {"r_id": pytest.approx(0.6), "r_ood": pytest.approx(0.25), "ratio": pytest.approx(0.35 / 0.75)}


def test_a_baseline_without_a_positive_mean_has_no_ratio():
    trials = [
        trial("v1", 0, figures(0.5, logits={"id": -1.0, "cats": 8.0})),
        trial("mixup", 0, figures(0.5, logits={"id": 4.0, "cats": 6.0})),
    ]
    trials = with_shifts(trials, "v1")
    assert trials[1].shift["cats"]["ratio"] is None
    assert rows_of(trials, ["v1", "mixup"], "v1")[2].shift == {}


def test_of_one_seed_there_is_no_spread():
    row = rows_of([trial("v1", 0, replace(figures(0.5), accuracy=0.25))], ["v1"], "v1")[0]
    assert (row.accuracy.mean, row.accuracy.sd, row.accuracy.n) == (0.25, 0.0, 1)
