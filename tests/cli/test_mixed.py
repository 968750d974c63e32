"""``oodkit diagnose --mixed`` from the outside."""

import json
import sys

import numpy as np
import pytest

from oodkit.cache import cache_entries
from oodkit.cli import each_model, extracting
from oodkit.images import open_images

V1, V2 = "demo:digits-v1", "demo:digits-v2"
MLS = ("--scorer", "mls", "--workers", "0", "--device", "cpu")


def test_mixed_digits_leave_id_and_join_ood_as_in_the_papers_figure(run, tmp_path):
    """Figure 3b, i): along λ the AUROC of ID over mixed images rises and that of mixed over OOD images falls, for both models.

    From λ = 0.1 on: up to there hardly, since the model has met such images in its training.
    """
    ran = run("diagnose", V2, *MLS, "--mixed", "--report", "report.html")
    assert ran.code == 0, ran.err
    assert "ID over mixed" in ran.out
    document = json.loads((tmp_path / "oodkit-runs/diagnose-001/result.json").read_text())
    mixed = document["models"][0]["mixed"]
    assert mixed["sentence"] in ran.out
    for rows in (mixed["rows"], mixed["baseline"]):
        assert [(row["lambda"], row["n"]) for row in rows] == [(0, 433), *((lam, 216) for lam in (0.1, 0.2, 0.3, 0.4, 0.5))]
        id_over, over_ood = np.array([[row["auroc_id"]["value"], row["auroc_ood"][-1]["auroc"]["value"]] for row in rows]).T
        assert (np.diff(id_over[1:]) > 0.01).all()
        assert (np.diff(over_ood[1:]) < -0.005).all()
        assert id_over[1] > id_over[0]
        assert over_ood[1] < over_ood[0] + 0.002
        assert rows[-1]["auroc_id"]["low"] > 0.8
        assert over_ood[-1] < over_ood[0] - 0.2
    assert ">Mixed images</h2>" in (tmp_path / "report.html").read_text()


def test_at_zero_stand_the_figures_of_the_maximal_logit_itself(run, demo_sets):
    (model,) = json.loads(run("diagnose", V2, *demo_sets, "--scorer", "mls", "--mixed", "--json").out)["models"]
    results = {row["ood_set"]: row["auroc"] for row in model["results"] if row["scorer"] == "mls"}
    assert {one["ood_set"]: one["auroc"] for one in model["mixed"]["rows"][0]["auroc_ood"]} == results
    assert [row["n"] for row in model["mixed"]["rows"]] == [60, 30, 30, 30, 30, 30]


def test_the_seed_draws_the_pairs_and_a_second_run_makes_no_forward_pass(run, demo_sets, monkeypatch):
    def curve(*options):
        ran = run("diagnose", V1, *demo_sets, "--scorer", "mls", "--mixed", "--json", *options)
        return [row["mean"]["value"] for row in json.loads(ran.out)["models"][0]["mixed"]["rows"]]

    first, other = curve(), curve("--seed", "1")
    assert first[0] == other[0]
    assert not set(first[1:]) & set(other[1:])
    monkeypatch.setattr(sys.modules["oodkit.forward"].Runner, "run", lambda *_: pytest.fail("a forward pass was made"))
    assert curve() == first


def test_without_the_option_no_image_is_mixed(run, demo_sets):
    document = json.loads(run("diagnose", V1, *demo_sets, "--scorer", "mls", "--json").out)
    assert document["models"][0]["mixed"] is None
    assert not [entry for entry in cache_entries() if "mixed" in entry.about("images")]


def test_a_single_id_image_is_refused_before_any_work(run):
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", "x=demo:photo-patches", "--limit", "1", *MLS, "--mixed")
    assert ran.code == 3
    assert "mixing needs two images or more; demo:digits has 1" in " ".join(ran.err.split())
    assert cache_entries() == []


def test_every_forward_pass_comes_before_the_scoring(run, demo_sets, monkeypatch):
    """An interruption while mixed images run would take every finished score with it."""
    order = []
    extract, diagnose = extracting.extract, each_model.diagnose
    monkeypatch.setattr(extracting, "extract", lambda model, one, **more: order.append("run") or extract(model, one, **more))
    monkeypatch.setattr(each_model, "diagnose", lambda *given, **more: order.append("score") or diagnose(*given, **more))
    assert run("diagnose", V2, *demo_sets, "--baseline", "none", "--scorer", "mls", "--mixed", "--quiet").code == 0
    assert order == ["run"] * (4 + 5) + ["score"]


def test_mixed_images_that_could_not_be_read_are_counted(run, tmp_path):
    """Of 12 images one is broken, and with it the pair that it is in."""
    digits = open_images("demo:digits", limit=12)
    for i in range(12):
        folder = tmp_path / "id" / str(int(digits.labels[i]))
        folder.mkdir(parents=True, exist_ok=True)
        digits.load(i).save(folder / f"{i:02}.png")
    broken = next((tmp_path / "id").rglob("*.png"))
    broken.write_bytes(b"no image")
    ran = run("diagnose", V1, "--id", "id", "--far", "x=demo:photo-patches", "--limit", "40", *MLS, "--mixed")
    assert ran.code == 0, ran.err
    note = "1 of 6 mixed images are left out, since they can't be read; the first: "
    assert note in ran.out
    assert f"{broken.parent.name}/{broken.name}: " in ran.out[ran.out.index(note) :]
    (model,) = json.loads((tmp_path / "oodkit-runs/diagnose-001/result.json").read_text())["models"]
    assert any(one.startswith(note) for one in model["facts"]["notes"])
    assert [row["n"] for row in model["mixed"]["rows"]] == [11, 5, 5, 5, 5, 5]
