"""Scorers that run the network again, from the command line: where their probes run, what is said of them, what is kept."""

import json

import pytest

from oodkit.cache import cache_entries
from oodkit.cli import probing

MODEL = "demo:digits-v2"
ODIN = "odin:temperature=1000.0,noise=0.0014"
SETS = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--limit", "40", "--workers", "0", "--device", "cpu")


def probed(run):
    """By the probe's name the image sets that entries of the cache are of, each once for every setting."""
    found = {}
    for entry in json.loads(run("cache", "list", "--json").out):
        if "probe" in entry:
            assert (entry["model"], entry["missing_shards"]) == (MODEL, 0), "nothing of the baseline, nothing half done"
            found.setdefault(entry["probe"].partition(":")[0], []).append(entry["images"].partition(" ")[0])
    return {name: sorted(images) for name, images in found.items()}


def rows_of(ran):
    return {row["scorer"]: row for row in json.loads(ran.out)["models"][0]["results"] if row["ood_set"] == "patches"}


def test_each_probe_runs_on_the_sets_that_its_scorer_needs(run):
    scorers = [word for name in ("odin", "adascale-a", "adascale-l", "mls") for word in ("--scorer", name)]
    ran = run("diagnose", MODEL, *SETS, "--fit", "demo:digits:train", "--val", "demo:digits:val", *scorers, "--json")
    assert ran.code == 0, ran.err
    rows = rows_of(ran)
    assert all(rows[name]["auroc"] for name in ("odin", "adascale-a", "adascale-l", "mls"))
    assert probed(run) == {
        "odin": ["demo:digits", "demo:photo-patches"],
        "adascale": ["demo:digits", "demo:digits:val", "demo:photo-patches"],
    }


def counted():
    """How many images each entry of a probe is of, by the spec of the image set."""
    probed_sets = [entry for entry in cache_entries() if entry.about("probe") != "?"]
    return {entry.about("images"): entry.manifest.count for entry in probed_sets}


def notes_of(ran):
    return {one["name"]: one["notes"] for one in json.loads(ran.out)["sets"]}


def test_without_validation_images_it_runs_on_those_training_images_alone_that_stand_in(run):
    """Of 40 images in 8 classes; all scorers that learn from validation images learn from the same."""
    scorers = ("--scorer", "adascale-a", "--scorer", "react", "--scorer", "knn")
    ran = run("diagnose", MODEL, *SETS, "--fit", "demo:digits:train", *scorers, "--json")
    assert counted() == {"demo:digits": 40, "demo:digits:train": 8, "demo:photo-patches": 40}
    assert {name: row["n_fit"] for name, row in rows_of(ran).items()} == {"adascale-a": 8, "react": 8, "knn": 40, "mls": 0}
    assert notes_of(ran)["val"] == ["no validation images given: 8 of the 40 training images, drawn class by class"]


def test_they_are_the_images_that_an_evaluation_would_hold_out(run):
    """So that the other scorers' results are what they are without a probe."""
    results = []
    for more in ((), ("--scorer", "adascale-a")):
        ran = run("diagnose", MODEL, *SETS, "--fit", "demo:digits:train", "--scorer", "react", *more, "--json")
        results.append(rows_of(ran)["react"])
    assert "no validation images given" in results[0].pop("notes")[0]
    assert results[1].pop("notes") == []
    assert results[0].pop("auroc") == pytest.approx(results[1].pop("auroc"))
    assert (results[0]["settings"], results[0]["n_fit"]) == (pytest.approx(results[1]["settings"]), 8)


def test_a_large_validation_set_is_cut_to_what_adascale_learns_from(run, monkeypatch):
    monkeypatch.setattr(probing, "MOST_IMAGES", 16)
    sets = (*SETS, "--fit", "demo:digits:train", "--val", "demo:digits:val")
    ran = run("diagnose", MODEL, *sets, "--scorer", "adascale-a", "--scorer", "react", "--json")
    assert counted() == {"demo:digits": 40, "demo:digits:val": 16, "demo:photo-patches": 40}
    assert {name: row["n_fit"] for name, row in rows_of(ran).items()} == {"adascale-a": 16, "react": 16, "knn": 40, "mls": 0}
    assert notes_of(ran)["val"] == ["a probe runs on them: 16 of the 40 validation images, drawn class by class"]
    assert rows_of(run("diagnose", MODEL, *sets, "--scorer", "react", "--json"))["react"]["n_fit"] == 40, "no probe, all of them"


def test_a_search_without_validation_images_probes_what_it_judges_by_and_learns_from_the_others(run):
    sets = (*SETS, "--fit", "demo:digits:train", "--tune", "unseen=demo:digits-unseen")
    ran = run("diagnose", MODEL, *sets, "--scorer", "odin", "--scorer", "knn", "--json")
    assert ran.code == 0, ran.err
    assert counted() == {"demo:digits": 40, "demo:digits:train": 8, "demo:digits-unseen": 40, "demo:photo-patches": 40}
    by_scorer = {one["scorer"]: one for one in json.loads(ran.out)["models"][0]["tuning"]}
    assert {one["n_id"] for one in by_scorer.values()} == {8}
    assert {tried["settings"]["k"] for tried in by_scorer["knn"]["tried"]} == {32}, "no image is its own neighbour"


def test_a_scorer_that_is_not_searched_is_probed_only_where_it_learns_and_is_tested(run):
    sets = (*SETS, "--val", "demo:digits:val", "--tune", "unseen=demo:digits-unseen")
    words = ("--scorer", "odin:noise=0.0014,temperature=1000", "--scorer", "adascale-l:low=75,high=85")
    ran = run("diagnose", MODEL, *sets, *words, "--json")
    assert all(rows_of(ran)[name]["auroc"] for name in ("odin", "adascale-l"))
    assert probed(run) == {
        "odin": ["demo:digits", "demo:photo-patches"],
        "adascale": ["demo:digits", "demo:digits:val", "demo:photo-patches"],
    }


def test_a_diagnosis_that_names_none_runs_none(run):
    ran = run("diagnose", MODEL, *SETS, "--json")
    assert not {"odin", "adascale-a", "adascale-l", "rankfeat"} & rows_of(ran).keys()
    assert probed(run) == {}


def test_what_the_network_rules_out_is_a_row_with_the_true_reason_and_ends_no_other(run):
    ran = run("diagnose", MODEL, *SETS, "--scorer", "rankfeat", "--scorer", "odin", "--scorer", "mls")
    assert ran.code == 0
    reason = "the last stage gives maps of 1 × 1, of which nothing is left without the first rank"
    assert f"rankfeat: not scored, needs a probe that can't serve here: {reason}\n" in ran.out
    assert probed(run) == {"odin": ["demo:digits", "demo:photo-patches"]}


def test_a_search_probes_each_combination_where_it_is_judged_and_the_chosen_one_where_it_is_tested(run):
    sets = (*SETS, "--val", "demo:digits:val", "--tune", "unseen=demo:digits-unseen")
    ran = run("diagnose", MODEL, *sets, "--scorer", "odin", "--json")
    assert ran.code == 0, ran.err
    assert rows_of(ran)["odin"]["auroc"]
    assert "tuned on unseen" in rows_of(ran)["odin"]["tuned"]
    images = probed(run)["odin"]
    assert {one: images.count(one) for one in images} == {
        "demo:digits": 1,
        "demo:photo-patches": 1,
        "demo:digits:val": 8,
        "demo:digits-unseen": 8,
    }


def test_a_search_over_pairs_of_percentiles_needs_one_probe(run):
    sets = (*SETS, "--val", "demo:digits:val", "--tune", "unseen=demo:digits-unseen")
    ran = run("diagnose", MODEL, *sets, "--scorer", "adascale-a", "--json")
    settings = rows_of(ran)["adascale-a"]["settings"]
    assert settings["low"] < settings["high"]
    assert len(probed(run)["adascale"]) == 4


def test_the_lists_tell_probes_and_their_scorers_apart(run):
    run("diagnose", MODEL, *SETS, "--baseline", "none", "--scorer", "odin", "--quiet")
    lines = run("cache", "list").out.splitlines()
    assert sum(f"float32  probe {ODIN}  40 images" in line for line in lines) == 2
    assert sum("float32  40 images" in line for line in lines) == 2
    networks = {row["name"]: row["network"] for row in json.loads(run("list", "scorers", "--json").out)}
    assert networks["odin"] == networks["rankfeat"] == networks["adascale-l"] == "runs the network again"
    assert networks["mls"] == "one pass"


@pytest.mark.parametrize("spec", ["odin:noise=-1", "adascale-a:low=90,high=80"])
def test_impossible_settings_stop_before_anything_runs(run, spec):
    ran = run("diagnose", MODEL, *SETS, "--scorer", spec)
    assert ran.code == 2
    assert "expects" in ran.err
    assert run("cache", "list").out.startswith("0 entries")
