"""Scorers that run the network again, from the command line: where their probes run, what is said of them, what is kept."""

import json

import pytest

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


def test_without_validation_images_it_runs_on_the_training_images_that_stand_in(run):
    ran = run("diagnose", MODEL, *SETS, "--fit", "demo:digits:train", "--scorer", "adascale-a", "--json")
    assert rows_of(ran)["adascale-a"]["n_fit"] == 8
    assert probed(run) == {"adascale": ["demo:digits", "demo:digits:train", "demo:photo-patches"]}


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
    assert "tuned on unseen" in rows_of(ran)["odin"]["note"]
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
