"""The curve of mixed images, by hand on a few scores, and what it is said to come to."""

import numpy as np
import pytest
import torch

from oodkit.delong import auroc_with_interval, compare_aurocs, mean_auroc
from oodkit.diagnosis import diagnose
from oodkit.head import Head
from oodkit.mixed_curve import diagnose_mixed, mixed_curve
from oodkit.outputs import Outputs
from oodkit.scoring import Scored

GROUPS = {"cats": "near", "noise": "far"}


def scored(id_scores, **ood_scores):
    own = {name: np.array(scores, dtype=float) for name, scores in ood_scores.items()}
    sizes = {name: len(scores) for name, scores in own.items()}
    return Scored("mls", "mls", {}, None, 0, np.array(id_scores, dtype=float), own, len(id_scores), sizes)


def outputs_of(max_logits):
    logits = torch.tensor([[value, 0.0] for value in max_logits])
    return Outputs(logits, torch.zeros(len(max_logits)), head=Head(torch.eye(2), torch.zeros(2)))


def test_a_row_is_counted_by_hand():
    """ID {4, 8} over mixed {3, 6}: 3 of 4 pairs. Mixed over cats {2, 5}: 3 of 4; over noise {6}: one loss and one tie, 1/4."""
    zero, half = mixed_curve(scored([4, 8], cats=[2, 5], noise=[6]), {0.5: [3, 6]}, GROUPS).rows
    assert (half.lam, half.n, half.mean.value) == (0.5, 2, 4.5)
    assert half.auroc_id.value == 0.75
    values = {(one.ood_set, one.group): one.auroc.value for one in half.auroc_ood}
    means = {("near mean", "near mean"): 0.75, ("far mean", "far mean"): 0.25, ("mean", "mean"): 0.5}
    assert values == {("cats", "near"): 0.75, ("noise", "far"): 0.25, **means}
    assert half.auroc_ood[-1].ood_set == "mean"
    assert (half.change_id, half.change_ood) == (None, None)
    assert (zero.lam, zero.n, zero.mean.value, zero.auroc_id) == (0, 2, 6, (0.5, 0.5, 0.5))


def test_at_zero_the_mixed_images_are_the_id_images_themselves():
    """ID {4, 8} over cats {2, 5}: 3 of 4."""
    zero = mixed_curve(scored([4, 8], cats=[2, 5]), {0.1: [3]}).rows[0]
    assert [(one.ood_set, one.auroc.value) for one in zero.auroc_ood] == [("cats", 0.75), ("far mean", 0.75)]


def test_rows_ascend_whatever_the_order_given():
    rows = mixed_curve(scored([4, 8], cats=[2]), {0.5: [3], 0.1: [4], 0.3: [1]}).rows
    assert [(row.lam, row.mean.value) for row in rows] == [(0, 6), (0.1, 4), (0.3, 1), (0.5, 3)]


def test_intervals_and_changes_are_delongs_own():
    rng = np.random.default_rng(0)
    id_ours, id_theirs, mixed_ours, mixed_theirs = rng.normal([[2], [3], [1], [1]], size=(4, 60))
    ours, theirs = rng.normal(size=(2, 50)), rng.normal(size=(2, 50))
    base = mixed_curve(scored(id_theirs, cats=theirs[0], noise=theirs[1]), {0.5: mixed_theirs}, GROUPS)
    found = mixed_curve(scored(id_ours, cats=ours[0], noise=ours[1]), {0.5: mixed_ours}, GROUPS, baseline=base)
    zero, half = found.rows
    assert half.auroc_id == auroc_with_interval(id_ours, mixed_ours)
    assert half.auroc_ood[-1].auroc == mean_auroc(mixed_ours, list(ours), [0.5, 0.5])
    assert half.change_id == compare_aurocs(id_ours, [mixed_ours], id_theirs, [mixed_theirs])
    assert half.change_ood == compare_aurocs(mixed_ours, list(ours), mixed_theirs, list(theirs), [0.5, 0.5])
    assert half.change_id.difference == pytest.approx(half.auroc_id.value - base.rows[1].auroc_id.value)
    assert zero.change_id is None
    assert zero.change_ood == compare_aurocs(id_ours, list(ours), id_theirs, list(theirs), [0.5, 0.5])
    assert found.baseline == base.rows


@pytest.mark.parametrize(
    "baseline",
    [
        mixed_curve(scored([4, 8, 9], cats=[2]), {0.5: [3, 6]}),
        mixed_curve(scored([4, 8], cats=[2]), {0.5: [3, 6, 7]}),
        mixed_curve(scored([4, 8], cats=[2, 3]), {0.5: [3, 6]}),
        mixed_curve(scored([4, 8], dogs=[2]), {0.5: [3, 6]}),
        mixed_curve(scored([4, 8], cats=[2]), {0.4: [3, 6]}),
    ],
)
def test_where_the_baseline_read_other_images_nothing_is_compared(baseline):
    found = mixed_curve(scored([4, 8], cats=[2]), {0.5: [3, 6]}, baseline=baseline)
    assert found.rows[1].change_id is None
    assert found.baseline is not None
    assert "baseline" not in found.sentence


def spread(centre, count=200):
    """Even steps over centre ± 1. Two of them that lie d apart: P(upper > lower) = 1 − (2 − d)²/8."""
    return centre + (np.arange(count) + 0.5) * 2 / count - 1


@pytest.mark.parametrize(
    ("centre", "told"),
    [
        (2.0, "can't be told from ID images (AUROC 50.0 %) and are not surely closer to OOD images than ID images are"),
        (1.5, "separate from ID images (AUROC 71.9 %) and are closer to OOD images than ID images are (far mean AUROC 96.9 %, of "),
        (0.0, "separate from ID images (AUROC 100.0 %) and can't be told from OOD images"),
        (-1.0, "separate from ID images (AUROC 100.0 %) and score below OOD images"),
        (2.5, "score above ID images"),
    ],
)
def test_the_sentence_says_no_more_than_the_intervals(centre, told):
    """ID within 2 ± 1, OOD within 0 ± 1, mixed within 1.5 ± 1, say: 1 − 1.5²/8 = 71.9 % and 1 − 0.5²/8 = 96.9 %."""
    assert told in mixed_curve(scored(spread(2.0), cats=spread(0.0)), {0.5: spread(centre)}).sentence


def test_mixed_images_farther_from_ood_than_id_images_are():
    told = mixed_curve(scored(spread(0.5), cats=spread(0.0)), {0.5: spread(1.5)}).sentence
    assert "score above ID images" in told
    assert "are farther from OOD images than ID images are" in told


@pytest.mark.parametrize(
    ("centre", "told"), [(0.5, "better than"), (1.0, "neither surely better nor worse than"), (1.5, "worse than")]
)
def test_the_sentence_compares_with_the_baseline(centre, told):
    base = mixed_curve(scored(spread(2.0), cats=spread(0.0)), {0.1: spread(2.0), 0.5: spread(1.0)})
    rows = {0.1: spread(0.0), 0.5: spread(centre)}
    sentence = mixed_curve(scored(spread(2.0), cats=spread(0.0)), rows, baseline=base).sentence
    assert sentence.startswith("At λ = 0.5 ")
    assert f"; from ID they separate {told} the baseline's (" in sentence


def test_a_diagnosed_model_gets_its_curve_from_outputs():
    """The maximal logits are the scores by hand above; the groups are the diagnosis's."""
    ood = {"cats": outputs_of([2, 5]), "noise": outputs_of([6])}
    found = diagnose("net", outputs_of([4, 8]), ood, groups=GROUPS, scorers=["msp"])
    curve = diagnose_mixed(found, {0.5: outputs_of([3, 6])})
    assert curve.rows == mixed_curve(scored([4, 8], cats=[2, 5], noise=[6]), {0.5: [3, 6]}, GROUPS).rows
    assert diagnose_mixed(found, {0.5: outputs_of([3, 6])}, curve).rows[1].change_id.difference == 0
