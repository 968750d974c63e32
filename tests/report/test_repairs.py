"""A repair as tables and sentences: what each scorer was before and is after, and how the head came about."""

import pytest

from oodkit.report.loading import load_document
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repair_view import repair_view
from oodkit.report.repairs import (
    by_set,
    change_of,
    columns_of,
    logit_pairs,
    loss_caption,
    repair_notes,
    repair_of,
    share_name,
    solver_facts,
    summary_changes,
    unchanged_line,
)
from oodkit.report.runs import load_run, save_run


@pytest.fixture
def told(repaired_run) -> dict:
    return repaired_run.document


@pytest.fixture
def repair(told) -> dict:
    return told["repair"]


def sheet_of(document, title, *, intervals=False):
    return next(one for one in repair_sheets(document, intervals=intervals) if one.title.startswith(title))


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def signed(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")


def test_the_document_is_of_the_models_before_and_after_and_holds_no_head(told, repair):
    before, after = told["models"]
    assert (told["kind"], told["schema"]) == ("augdelete", 2)
    assert (
        (repair["before"], repair["after"])
        == (before["name"], after["name"])
        == (after["baseline"], f"{before['name']} + AugDelete")
    )
    assert "head" not in repair["refit"]
    assert [len(repair["refit"]["tried"]) > 1, repair["train"]["taken"]] == [True, 240]


def test_a_diagnosis_has_no_repair(document):
    assert (document["kind"], repair_of(document)) == ("diagnose", None)
    assert "repair" not in document


def test_it_is_stored_and_read_back(repaired_run, tmp_path):
    """With the scores of both models."""
    save_run(repaired_run, tmp_path)
    found = load_run(tmp_path)
    assert found.document == repaired_run.document == load_document(tmp_path / "result.json")
    assert list(found.scores) == [model["name"] for model in found.document["models"]]


def test_of_a_repaired_model_a_detector_is_exported_and_the_other_is_scored_by_its_name(told):
    """Nobody can type the repaired model's name, its head is a file; augdelete calls the training images --train."""
    before, after = ([one["command"] for one in model["verdict"]["advice"] if one["command"]] for model in told["models"])
    assert before[0].startswith("oodkit diagnose 'py:data/<net>.py:small' --id x --train y --scorer ")
    assert before[1] == "oodkit augdelete 'py:data/<net>.py:small' --id x --train y --frac 1"
    own = "oodkit export 'py:data/<net>.py:small' --head RUN/head.safetensors --scorer knn:k=7 --train y --calibrate SET"
    assert (after[0], len(after)) == (own, 1)


def test_the_first_table_has_the_accuracy_and_every_scorer_that_changed(told, repair):
    """In the order of the AUROC after the repair; the difference and its p are those of the document."""
    sheet = sheet_of(told, "Before and after the repair")
    accuracy, *rows = sheet.rows
    values = [percent(model["accuracy"]["value"]) for model in told["models"]]
    assert accuracy[:2] == ["ID accuracy", f"{values[0]} → {values[1]}"]
    assert accuracy[2].startswith(f"{signed(repair['accuracy']['difference'])} (")
    changed = [row for row in summary_changes(told) if row["changed"]]
    assert [row[0] for row in rows] == [one["scorer"] for one in changed]
    for cells, one in zip(rows, changed, strict=True):
        assert cells[1] == f"{percent(one['auroc_before']['value'])} → {percent(one['auroc_after']['value'])}"
        difference, low, high = (one["difference"][key] for key in ("difference", "low", "high"))
        assert cells[2] == f"{signed(difference)} ({percent(low)} to {percent(high)})".replace("-", "−")
        assert cells[3] == "< 0.0001" if one["p_holm"] < 0.0001 else float(cells[3]) == pytest.approx(one["p_holm"], abs=0.005)
        assert cells[4] == f"{100 * one['fpr95_before']['value']:.1f} → {100 * one['fpr95_after']['value']:.1f}"
    assert any(one["p_holm"] > one["difference"]["p_value"] for one in changed)


def test_unchanged_scorers_stand_together_below(told):
    line = unchanged_line(summary_changes(told))
    same = {row["scorer"]: percent(row["auroc_after"]["value"]) for row in summary_changes(told)}
    names = [name for name in same if name in {"knn:k=5", "knn:k=7", "mds"}]
    assert line == f"unchanged, image by image: {', '.join(f'{name} {same[name]}' for name in names)}"
    assert sheet_of(told, "Before and after the repair").below[0] == line
    assert unchanged_line([one for one in summary_changes(told) if one["changed"]]) == ""


def test_a_doubt_stands_beside_the_figure(told):
    doubt = "the neighbour k = 5 lies beyond the 3 training images that a class has on average"
    for row in told["models"][1]["results"]:
        row["notes"] = [f"the bank is small; {doubt}; give more"] if row["scorer"] == "knn:k=5" else []
    (line,) = (one for one in sheet_of(told, "Before and after the repair").below if one.startswith("unchanged"))
    knn = next(row for row in summary_changes(told) if row["scorer"] == "knn:k=5")
    assert f"knn:k=5 {percent(knn['auroc_after']['value'])} (in doubt: {doubt})" in line
    assert line.count("in doubt") == 1


def test_the_best_scorers_row_is_set_off_where_the_repair_changed_it(told):
    assert sheet_of(told, "Before and after the repair").bold == []
    told["models"][1]["best"] = "mls"
    sheet = sheet_of(told, "Before and after the repair")
    (place,) = {place for place, _ in sheet.bold}
    assert sheet.rows[place][0] == "mls (best)"


def test_sets_stand_after_the_means_over_several_of_them(told, repair):
    """A group of one set has no mean of its own."""
    names = [name for name, _ in columns_of(repair["changes"])]
    assert (names[0], len(names)) == ("mean", 3)
    assert set(by_set(repair["changes"])) == {"mls", "msp", "ebo", "residual"}
    rows = {row[0]: row[1:] for row in sheet_of(told, "Before and after, set by set", intervals=True).rows}
    one = next(row for row in repair["changes"] if (row["scorer"], row["ood_set"]) == ("mls", "near"))
    assert rows["mls"][1].startswith(f"{percent(one['auroc_before']['value'])} (")
    assert f" → {percent(one['auroc_after']['value'])} (" in rows["mls"][1]


def test_the_maximal_logits_stand_side_by_side(told):
    rows = sheet_of(told, "Maximal logit").rows
    assert [old["image_set"] for old, _ in logit_pairs(told["models"])] == [row[0] for row in rows]
    (_, _), (old, new), *_ = logit_pairs(told["models"])
    assert rows[1][2] == f"{old['mean']['value']:.3f} → {new['mean']['value']:.3f}"
    assert rows[1][4] == f"{old['gap']['value']:+.2f} → {new['gap']['value']:+.2f}".replace("-", "−")
    assert rows[0][4] == "–"


def test_shares_have_a_row_each_and_no_table_where_there_is_but_one(told, repair):
    rows = sheet_of(told, "Shares").rows
    assert [row[0] for row in rows] == ["0, untouched", "5 %", "25 %", "100 %"]
    assert [row[1] for row in rows] == ["0", "12", "60", "240"]
    assert rows[0][-3:] == ["–", "–", "–"]
    assert (
        rows[3][3]
        == percent(repair["shares"][3]["aurocs"]["mls"]["value"])
        == percent(change_of(told, "mls")["auroc_after"]["value"])
    )
    repair["shares"] = [repair["shares"][0], repair["shares"][-1]]
    assert not [one for one in repair_sheets(told, intervals=True) if one.title.startswith("Shares")]
    assert [share_name(one) for one in (0.005, 0.333, 1e-300)] == ["0.5 %", "33.3 %", "under 0.0001 %"]


def test_the_solver_tells_what_it_did(repair):
    facts = dict(solver_facts(repair))
    refit = repair["refit"]
    assert facts["solver"] == "lbfgs, started at zeros"
    assert facts["fitted on"] == f"240 images, {refit['steps']} passes over all images"
    losses = f"{refit['start_loss']:.4f} → {refit['held_out_loss']:.4f} nats, of 48 images"
    assert facts["held-out loss"] == f"{losses} held out of the training images, before the last fit, on all of them"
    assert dict(solver_facts({**repair, "refit": {**refit, "judged_by": "val"}}))["validation loss"] == losses
    assert facts["training images"].endswith(", as they are evaluated")
    repair["train"]["views"] = 1
    refit |= {
        "solver": "sgd",
        "init": "head",
        "tried": [],
        "held_out_loss": None,
        "start_loss": None,
        "gap": None,
        "gradient": None,
    }
    facts = dict(solver_facts(repair))
    assert facts["training images"].endswith(", 1 augmented view of each")
    assert facts["solver"] == "sgd, started at the present head"
    assert facts["fitted on"].endswith(f"{refit['steps']} batches")
    assert facts["strength of the penalty"] == f"l2 = {refit['l2']:.3g}"
    assert not {"held-out loss", "end"} & facts.keys()


@pytest.mark.parametrize(("chosen", "how"), [
    (1, "of 3 tried from strong to weak the last but one: the weaker one does not lower the held-out loss by 0.02 nats more"),
    (2, "the weakest of 3 tried: each lowers the held-out loss by 0.02 nats more than the one before"),
])  # fmt: skip
def test_how_the_strength_was_chosen_is_told_as_it_was(repair, chosen, how):
    tried = [{"l2": l2, "held_out_loss": 0.1, "steps": 3} for l2 in (1.0, 0.1, 0.01)]
    repair["refit"] |= {"tried": tried, "l2": tried[chosen]["l2"]}
    assert dict(solver_facts(repair))["strength of the penalty"] == f"l2 = {tried[chosen]['l2']:.3g}, {how}"


def test_the_table_of_shares_says_whose_loss_it_tells(repair):
    repair["refit"]["judged_by"] = "val"
    assert loss_caption(repair) == "validation images"
    repair["refit"]["judged_by"] = "train"
    assert loss_caption(repair) == "held-out training images before the last fit"


def test_a_note_of_the_repair_that_the_refit_has_too_is_told_once(repair):
    repair["refit"]["notes"] = [repair["notes"][0], "another"]
    assert repair_notes(repair) == [*repair["notes"], "another"]


def test_where_no_score_changed_nothing_is_told_twice(told, repair):
    """Neither before and after nor shares that are equal; a note says so."""
    for row in repair["changes"]:
        row["changed"] = False
    for one in repair["shares"]:
        one |= {key: repair["shares"][0][key] for key in ("accuracy", "aurocs")}
    assert [one.title for one in repair_sheets(told, intervals=True)] == ["How the head was refitted"]
    view = repair_view(told, {})
    assert (view["logits"], view["changes"], view["dumbbells"], view["curve"]) == ([], [], None, None)


def test_a_share_tells_how_it_differs_from_the_untouched_head(told, repair):
    """With the interval of the paired test; untouched itself a dash."""
    sheet = sheet_of(told, "Shares")
    place = sheet.head.index("mls − untouched")
    assert sheet.rows[0][place] == "–"
    found = repair["shares"][3]["difference"]
    assert found == change_of(told, "mls")["difference"]
    difference, low, high = (found[key] for key in ("difference", "low", "high"))
    assert sheet.rows[3][place] == f"{signed(difference)} ({percent(low)} to {percent(high)})".replace("-", "−")


def test_mls_is_told_to_be_the_one_test_that_is_not_adjusted(told, repair):
    assert "of mls, the one test that was fixed beforehand, as it is" in sheet_of(told, "Before and after the repair").below[-1]
    found = change_of(told, "mls")
    assert found["p_holm"] == found["difference"]["p_value"]
