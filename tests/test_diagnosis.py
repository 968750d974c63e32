"""The diagnosis as a whole: what it measures, and what it says of what it can't."""

import pytest
import torch

from oodkit.diagnosis import diagnose
from oodkit.errors import InputError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS

NEED_A_PROBE = ("odin", "adascale-a", "adascale-l", "rankfeat")


def outputs_of(max_logits: list[float]) -> Outputs:
    """Two classes; the first logit is the largest, the second 0; the features are the logits."""
    logits = torch.tensor([[value, 0.0] for value in max_logits])
    return Outputs(logits, torch.zeros(len(max_logits)), head=Head(torch.eye(2), torch.zeros(2)))


def test_the_maximal_logits_table_and_its_shift_are_part_of_it():
    """Baseline means 8 and 4, model means 4 and 3: r_id = 0.5, r_ood = 0.25, ratio = 1/3. The arithmetic: test_max_logits.py."""
    baseline = diagnose("plain", outputs_of([6, 10]), {"set": outputs_of([3, 5])}, scorers=["mls"])
    found = diagnose("net", outputs_of([2, 6]), {"set": outputs_of([1, 5])}, scorers=["mls"], baseline=baseline)
    (shift,) = found.shifts
    assert (shift.r_id.value, shift.r_ood.value) == (0.5, 0.25)
    assert shift.ratio.value == pytest.approx(1 / 3)
    assert "mean shift ratio +0.333 (" in " ".join(found.verdict.evidence)
    assert [(row.image_set, row.group, row.mean.value) for row in found.max_logits] == [("ID", "id", 4), ("set", "far", 3)]
    assert found.baseline == "plain"


def normal_outputs(images: int, seed: int, shift: float) -> Outputs:
    """Three classes, four features; the class's own is ``shift`` larger."""
    features = torch.randn(images, 4, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(images) % 3
    features[torch.arange(images), labels] += shift
    return Outputs(features, labels, head=Head(torch.eye(3, 4), torch.zeros(3)))


def test_the_growth_of_the_lead_is_told_where_knn_is_ahead_and_both_models_know_the_sets():
    """The model's features hold what its logits don't: OOD images stand far aside, where the head looks at nothing."""
    test, fit, ood = (normal_outputs(120, seed, shift) for seed, shift in ((0, 3), (1, 3), (2, 1.5)))
    aside = Outputs(ood.features + torch.tensor([0.0, 0, 0, 8]), ood.labels, head=ood.head)
    plain = diagnose("plain", test, {"a": ood, "b": ood}, fit=fit, scorers=["mls", "knn:k=5"])
    found = diagnose("net", test, {"b": aside, "a": aside}, fit=fit, scorers=["mls", "knn:k=5"], baseline=plain)
    (line,) = [line for line in found.verdict.evidence if line.startswith("KNN's lead has grown by +")]
    grown = 100 * (found.lead.comparison.difference - plain.lead.comparison.difference)
    assert f"by {grown:+.2f} points since plain" in line
    other = diagnose("plain", test, {"a": ood, "b": ood, "c": ood}, fit=fit, scorers=["mls", "knn:k=5"])
    found = diagnose("net", test, {"a": aside, "b": aside}, fit=fit, scorers=["mls", "knn:k=5"], baseline=other)
    assert not any("grown" in line for line in found.verdict.evidence)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_told_before_a_figure_is_made_of_them(value):
    """Means and intervals of them would be NaN, which no JSON holds."""
    with pytest.raises(InputError, match=r"^net can't be diagnosed: mls gives NaN or infinite scores; .* \(in set\)$"):
        diagnose("net", outputs_of([6, 10, 7]), {"set": outputs_of([3, value])}, scorers=["mls"])


def test_mls_and_knn_are_measured_even_if_others_were_asked_for():
    found = diagnose("net", outputs_of([6, 10, 7]), {"set": outputs_of([3, 5])}, fit=outputs_of([6, 10, 7, 8]), scorers=["msp"])
    assert {row.scorer for row in found.rows} == {"msp", "mls", "knn"}


def test_plain_knn_is_added_where_those_asked_for_do_not_score():
    """A bank of 40 images is too small for the index, which is that row's own reason and no want of training images."""
    fit = outputs_of([6 + number / 10 for number in range(40)])
    found = diagnose("net", outputs_of([6, 10, 7]), {"set": outputs_of([3, 5])}, fit=fit, scorers=["knn:k=5,index=ivf"])
    reasons = {row.spec: row.reason for row in found.rows}
    assert "take index=exact" in reasons["knn:k=5,index=ivf"]
    assert reasons["knn"] is None
    assert found.lead.spec == "knn"
    assert not any("--train" in advice.flags for advice in found.verdict.advice)


def test_where_no_knn_scores_its_own_reason_is_the_evidence():
    features = torch.full((4, 2), torch.nan)
    fit = Outputs(features, torch.zeros(4), logits=torch.zeros(4, 2))
    found = diagnose("net", outputs_of([6, 10, 7]), {"set": outputs_of([3, 5])}, fit=fit, scorers=["knn:k=2"])
    assert found.lead.problem.startswith("no feature score from knn: the features to learn from hold NaN")
    assert found.lead.problem in found.verdict.evidence
    assert not any("--train" in advice.flags for advice in found.verdict.advice)


def test_without_training_images_that_is_the_evidence():
    found = diagnose("net", outputs_of([6, 10]), {"set": outputs_of([3, 5])}, scorers=["knn:k=2"])
    assert found.lead.problem == "no feature score from knn:k=2: knn learns from ID train images and none were given"
    assert found.lead.remedy == "--train SET"


def test_what_needs_training_images_is_a_row_with_its_reason():
    found = diagnose("net", outputs_of([6, 10]), {"set": outputs_of([3, 5])})
    reasons = {row.scorer: row.reason for row in found.rows}
    assert reasons["mls"] is None
    assert "none were given" in reasons["vim"]


def test_without_a_choice_every_registered_scorer_that_needs_no_probe_is_tried(monkeypatch):
    """A scorer that joins the list in ``oodkit.scorers`` is diagnosed with by that alone."""
    monkeypatch.setitem(SCORERS, "largest", type("Largest", (SCORERS["mls"],), {"name": "largest"}))
    found = diagnose("net", outputs_of([6, 10]), {"set": outputs_of([3, 5])})
    assert [row.scorer for row in found.rows if row.ood_set == "set"] == [name for name in SCORERS if name not in NEED_A_PROBE]
    assert found.row("largest", "set").auroc.value == 1


def test_progress_is_told_step_by_step():
    lines = []
    diagnose("net", outputs_of([6, 10]), {"set": outputs_of([3, 5])}, scorers=["mls"], progress=lines.append)
    assert lines == ["scoring the in-distribution test set: 2 images", "scoring set: 2 images"]


def test_accuracy_is_of_the_labels():
    outputs = outputs_of([6, 10, 7, 8]).with_labels(torch.tensor([0, 0, 0, 1]))
    assert diagnose("net", outputs, {"set": outputs_of([3])}, scorers=["mls"]).accuracy.value == 0.75


def test_a_row_can_be_asked_for():
    found = diagnose("net", outputs_of([6, 10]), {"set": outputs_of([3, 5])}, scorers=["mls"])
    assert found.row("mls", "far mean").auroc.value == 1
    assert found.row("mls", "nowhere") is None
