"""What is said beside a comparison: each name with the direction it differs in, effects and not spellings, tests that are none."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.report.compare import BEST, make_comparison
from oodkit.report.compare_models import OUTCOMES
from oodkit.report.compare_sheets import remarks_on, sheets
from oodkit.report.runs import Run
from oodkit.scorers import SCORERS, make_scorer


def run_with(base: Run, groups: dict[str, str]) -> Run:
    """The first model of a run with OOD sets of these names, all of them the same images."""
    run = deepcopy(base)
    run.document["models"] = run.document["models"][:1]
    model = run.document["models"][0]
    rows = [row for row in model["results"] if row["ood_set"] == "near"]
    model["results"] = [{**row, "ood_set": name, "group": group} for row in rows for name, group in groups.items()]
    model["read"] = {"id": model["read"]["id"]} | dict.fromkeys(groups, model["read"]["near"])
    stored = run.scores[model["name"]]
    scores = {label: {"id": one["id"]} | dict.fromkeys(groups, one["near"]) for label, one in stored.items()}
    return Run(run.document, {model["name"]: scores}, {}, {model["name"]: run.correct[model["name"]]})


def compared(*runs: Run) -> dict:
    return make_comparison([(f"run{at}", run) for at, run in enumerate(runs)], command="x")


def test_groups_that_contradict_are_told_each_in_its_direction(compared_run):
    first = run_with(compared_run, {"flowers": "near", "tiny": "near", "mnist": "far", "textures": "far"})
    other = run_with(compared_run, {"flowers": "near", "mnist": "near", "tiny": "far", "textures": "far"})
    notes = compared(first, other)["notes"]
    assert "mnist: near in B, taken as far, as in A" in notes
    assert "tiny: far in B, taken as near, as in A" in notes


def test_the_summary_says_that_it_is_the_mean_of_two_means(compared_run):
    both = run_with(compared_run, {"a": "near", "b": "far", "c": "far"})
    assert sheets(compared(both, both))[1].title == "AUROC / FPR@95 in percent, mean of near (a) and far (b, c)"
    far = run_with(compared_run, {"b": "far", "c": "far"})
    assert sheets(compared(far, far))[1].title == "AUROC / FPR@95 in percent, mean of far (b, c)"
    one = run_with(compared_run, {"c": "far"})
    assert sheets(compared(one, one))[1].title == "AUROC / FPR@95 in percent, c"


def test_the_best_of_each_has_differences_and_no_tests(compared_run):
    document = make_comparison([("run", compared_run)], command="x")
    picked = [row["against"] for row in document["results"] if row["scorer"] == BEST and row["against"]]
    assert picked
    for one in picked:
        assert [one[key] for key in ("low", "high", "p_value", "p_holm")] == [None] * 4
        assert one["difference"] != 0
        assert (one["fpr95_ood"]["low"], one["fpr95_ood"]["high"]) == (None, None)
    assert any(note.startswith(f"{BEST}: ") and "their difference has no interval and no p" in note for note in document["notes"])
    row = next(row for row in sheets(document)[1].rows if row[0] == BEST)
    assert (row[-2:], "(" in row[-3]) == (["–", "–"], False)


def test_scores_that_are_the_same_are_no_tests(compared_run):
    """All of the same weights; then one scorer alone has other scores, so that its tests are the only ones."""
    first, again = (run_with(compared_run, {"a": "near", "b": "far"}) for _ in range(2))
    document = compared(first, again)
    scorers = {row["scorer"] for row in document["results"]}
    assert document["tests"] == {"summary": 0, "sets": 0, "identical": 3 * len(scorers)}
    for row in document["results"]:
        if against := row["against"]:
            assert [against[key] for key in ("difference", "low", "high", "p_value", "p_holm")] == [0, 0, 0, 1, 1]
            assert against["identical"]
    assert "B has the very weights of A, and its run was set up alike" in document["notes"]
    assert document["models"][1]["accuracy_difference"] == {"value": 0, "low": 0, "high": 0, "p_value": 1, "paired": True}
    (name,) = again.scores
    moved = {key: values[::-1].copy() for key, values in again.scores[name]["mls"].items()}
    again.scores[name]["mls"] = moved
    found = compared(first, again)
    assert found["tests"] == {"summary": 1, "sets": 2, "identical": 3 * (len(scorers) - 1)}
    assert any(f"{found['tests']['identical']} are of scores that are the same image by image" in note for note in found["notes"])


def test_equal_scores_of_other_images_are_a_test(compared_run):
    first, other = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    other.document["models"][0]["read"]["a"] = {"n": 40, "images": "f" * 32}
    assert compared(first, other)["tests"]["identical"] == 0


def settings_of(run: Run, scorer: str, spec: str, **settings) -> None:
    for row in run.document["models"][0]["results"]:
        if row["scorer"] == scorer:
            row.update(spec=spec, settings=settings)


def test_settings_are_those_that_took_effect_and_not_how_they_were_asked_for(compared_run):
    """k=paper and k=9 both came to 9; then to others, which a preset that has changed since would not know."""
    first, other = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    settings_of(first, "knn:k=5", "knn", k=9, fraction=1.0, recall=0.95)
    settings_of(other, "knn:k=5", "knn:k=paper", k=9, fraction=1.0, recall=1.0)
    assert compared(first, other)["settings"] == []
    settings_of(other, "knn:k=5", "knn", k=50, fraction=1.0, recall=1.0)
    document = compared(first, other)
    assert document["settings"] == [{"scorer": "knn:k=5", "setting": "k", "values": {"A": 9, "B": 50}}]
    assert "knn:k=5: k 9 in A, 50 in B" in remarks_on(document)


def test_what_a_scorer_finds_on_its_images_is_told_only_where_one_side_set_it(compared_run):
    first, other = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    settings_of(first, "mls", "temp_scaling", temperature=1.31)
    settings_of(other, "mls", "temp_scaling", temperature=1.29)
    assert compared(first, other)["settings"] == []
    settings_of(other, "mls", "temp_scaling:temperature=1.5", temperature=1.5)
    assert "mls: temperature found on the images in A, 1.5 in B" in remarks_on(compared(first, other))


@pytest.mark.parametrize("name", [name for name in SCORERS if not name.startswith("adascale")])
def test_only_known_settings_depend_on_which_images_were_learnt_from(name):
    """Every other one comes out the same of other images of the same shape."""
    settings = []
    for seed in (0, 1):
        features = torch.rand(90, 4, generator=torch.Generator().manual_seed(seed))
        scorer, images = make_scorer(name), Outputs(features, torch.arange(90) % 3, head=Head(torch.eye(3, 4), torch.zeros(3)))
        settings.append((scorer.fit(images) if scorer.fits_on else scorer).settings())
    assert {key for key, value in settings[0].items() if value != settings[1][key]} <= {OUTCOMES.get(name)}


def test_inputs_that_differ_are_told_with_both_values(compared_run):
    """Limits, presets and images to learn from; another spelling of the very same images is no difference."""
    first, other = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    other.document["inputs"]["sets"]["limit"] = 20
    other.document["settings"]["preset"] = "paper"
    other.document["models"][0]["read"]["a"] = {"n": 20, "images": "f" * 32}
    fit = {**deepcopy(first.document["sets"][0]), "role": "fit", "spec": "train"}
    val = {**fit, "role": "val"}
    first.document["sets"] += [fit, val]
    other.document["sets"] += [{**fit, "spec": "./train"}, {**val, "fingerprint": "f" * 32, "read": 20}]
    document = compared(first, other)
    assert document["inputs"] == [
        {"input": "preset", "values": {"A": "openood", "B": "paper"}},
        {"input": "limit", "values": {"A": None, "B": 20}},
        {"input": "images of a", "values": {"A": 40, "B": 20}},
        {"input": "val", "values": {"A": "40 of train", "B": "20 of train"}},
    ]
    assert "limit: none in A, 20 in B" in remarks_on(document)
    assert "B has the very weights of A" in document["notes"]


def test_other_files_of_the_same_name_and_number_are_told_apart(compared_run):
    first, other = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    fit = {**deepcopy(first.document["sets"][0]), "role": "fit", "spec": "train", "fingerprint": "a" * 32}
    first.document["sets"].append(fit)
    other.document["sets"].append({**fit, "fingerprint": "b" * 32})
    told = {"A": "40 of train, files aaaaaaaa", "B": "40 of train, files bbbbbbbb"}
    assert compared(first, other)["inputs"] == [{"input": "fit", "values": told}]


def test_a_set_that_is_not_the_same_is_named_as_the_one_reason(compared_run):
    first, other = (run_with(compared_run, {"a": "near", "b": "far"}) for _ in range(2))
    other.document["models"][0]["read"]["b"] = {"n": 40, "images": "f" * 32}
    (name,) = other.scores
    for one in other.scores[name].values():
        one["b"] = one["b"] + np.linspace(0, 1, 40)
    document = compared(first, other)
    against = {row["ood_set"]: row["against"] for row in document["results"] if row["against"] and row["scorer"] == "mls"}
    assert {key: one["paired"] for key, one in against.items()} == {"a": "all", "b": "part", "mean": "part"}
    assert (against["mean"]["unpaired"], against["a"]["identical"]) == (["b"], True)
    assert document["notes"][0].startswith("A and B did not read the same images of b: there, and in the means over them, ")
    assert document["models"][1]["accuracy_difference"]["paired"]


def test_a_single_test_of_equal_scores_is_counted_as_one(compared_run):
    first, again = (run_with(compared_run, {"a": "near"}) for _ in range(2))
    (name,) = first.scores
    for run in (first, again):
        for scorer in set(run.scores[name]) - {"mls"}:
            del run.scores[name][scorer]
    said = "; 1 is of scores that are the same image by image and is not counted"
    assert any(note.endswith(said) for note in compared(first, again)["notes"])
