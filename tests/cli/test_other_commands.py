"""The demo, the lists, the cache and the data check, from the outside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_demo_tells_the_whole_story_offline(run, tmp_path):
    ran = run("demo")
    assert ran.code == 0
    diagnosis, repair = ran.out.split("The repair, as oodkit augdelete demo:digits-v2 --frac 1 does it")
    assert "Maximal-logit shift against demo:digits-v1" in diagnosis
    assert "Verdict  The logits of demo:digits-v2 are sound" in diagnosis
    assert "Before and after the repair" in repair
    folder = tmp_path / "oodkit-runs/demo"
    assert {one.name for one in folder.iterdir()} >= {"report.html", "head.safetensors", "detector.safetensors"}
    document = json.loads((folder / "result.json").read_text())
    assert document["kind"] == "augdelete"
    assert document["repair"]["train"] == {"spec": "demo:digits:train", "images": 721, "taken": 721, "views": 0}
    ran = run("augdelete", "--scorer", "mls", "--workers", "0", "--json")
    assert ran.err.startswith("the run made last: oodkit-runs/demo, ")
    assert json.loads(ran.out)["repair"]["train"]["taken"] == 144


def test_the_demo_where_nothing_can_be_written_names_an_option_that_it_has(run, tmp_path):
    (tmp_path / "oodkit-runs").write_text("in the way")
    ran = run("demo")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: can't write to oodkit-runs/demo: Not a directory; give --output FOLDER where you can\n"


def test_the_demo_models_bring_their_own_image_sets(run):
    assert "demo:digits-unseen" in run("diagnose", "demo:digits-v1", "--limit", "40", "--workers", "0").out


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "resnet50.tv2_in1k"),
        ("scorers", "knn"),
        ("recipes", "augrevise"),
        ("generators", "biggan-deep-512"),
        ("benchmarks", "imagenet-1k"),
    ],
)
def test_lists_show_what_there_is(run, kind, name):
    ran = run("list", kind, "--json")
    assert name in [row["name"] for row in json.loads(ran.out)]
    assert name in run("list", kind).out


def test_the_list_of_recipes_says_which_images_one_needs_and_what_judges_it(run):
    rows = {row["name"]: row for row in json.loads(run("list", "recipes", "--json").out)}
    assert [rows[name]["needs"] for name in ("v1", "outlier-exposure", "pixmix")] == [[], ["outliers"], ["mixing"]]
    assert rows["augrevise"]["judged_by"][0] == "mls"
    lines = run("list", "recipes", "[vo][1u]*").out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["name", "needs", "judged"],
        ["v1", "nothing", "mls"],
        ["outlier-exposure", "outliers", "msp"],
    ]
    assert rows["mixup"]["paper"] == "arXiv:1710.09412"


def test_the_list_of_generators_tells_their_licences_and_the_forms_that_name_others(run):
    rows = {row["name"]: row for row in json.loads(run("list", "generators", "--json").out)}
    assert rows["dit-256"] == {
        "name": "dit-256",
        "makes": "ImageNet-1k, 256 × 256",
        "method": "DiT-XL/2",
        "licence": "CC-BY-NC-4.0",
        "needs": "hf:facebook/DiT-XL-2-256",
    }
    assert rows["FOLDER of synth fit"]["needs"] == "nothing"
    assert list(rows)[-1] == "py:MODULE:FUNCTION"


def test_lists_of_several_columns_say_what_they_are_and_a_list_of_names_is_names_alone(run):
    heads = {kind: run("list", kind).out.splitlines()[0].split() for kind in ("scorers", "benchmarks", "models")}
    assert heads["scorers"] == ["name", "fits", "on", "network", "method", "paper"]
    assert heads["benchmarks"] == ["name", "classes", "near", "far"]
    assert heads["models"] != ["name"]


def test_a_program_gets_a_benchmarks_sets_as_lists_and_its_classes_as_a_number(run):
    (row,) = json.loads(run("list", "benchmarks", "cifar10", "--json").out)
    assert (row["classes"], row["near"], row["far"][:2]) == (10, ["cifar100", "tin"], ["mnist", "svhn"])
    assert "cifar100, tin" in run("list", "benchmarks", "cifar10").out


def test_a_list_takes_a_pattern(run):
    names = [row["name"] for row in json.loads(run("list", "models", "resnet18*", "--json").out)]
    assert names
    assert all(name.startswith("resnet18") for name in names)


def test_a_pattern_that_matches_nothing_says_so(run):
    ran = run("list", "scorers", "zzz")
    assert (ran.out, ran.err) == ("", "no scorers match 'zzz'\n")


def test_the_cache_lists_and_clears(run):
    run("diagnose", "demo:digits-v1", "--limit", "40", "--workers", "0", "--quiet")
    entries = json.loads(run("cache", "list", "--json").out)
    assert {(entry["images"], entry["count"]) for entry in entries} >= {("demo:digits", 40), ("demo:digits-unseen", 40)}
    assert "5 entries" in run("cache", "list").out
    empty = run("cache", "clear", "")
    assert (empty.code, empty.out) == (2, "")
    assert "error: a key is empty; `oodkit cache list` shows the keys" in empty.err
    (Path(entries[1]["folder"]) / "manifest.json").write_text("{")
    assert [line.split("  ")[-1] for line in run("cache", "list").out.splitlines()].count("its manifest can't be read") == 1
    assert "deleted 1 entry, " in run("cache", "clear", entries[0]["key"]).out
    assert "deleted 4 entries, " in run("cache", "clear", "--yes").out
    assert run("cache", "clear", "abc").code == 2


def test_the_data_check_needs_a_folder(run):
    ran = run("data", "check")
    assert ran.code == 2
    assert "give --data-root DIR or set OODKIT_DATA" in ran.err


def test_the_data_check_says_of_each_set_what_is_there(run, tmp_path):
    (tmp_path / "data").mkdir()
    ran = run("data", "check", "cifar10", "--data-root", str(tmp_path / "data"))
    assert ran.code == 0
    for name in ("test", "cifar100", "tin", "mnist", "svhn", "texture", "places365"):
        assert name in ran.out
    rows = json.loads(run("data", "check", "cifar10", "--data-root", str(tmp_path / "data"), "--json").out)
    assert not any(row["list_found"] for row in rows)


def test_the_data_check_tells_of_a_set_before_it_looks_at_the_next(run, tmp_path, monkeypatch):
    """To decode every image of a benchmark takes hours."""
    from oodkit import benchmarks

    def looked_at(name, *_, **__):
        yield f"{name}, its first set"
        if name == "cifar100":
            raise KeyboardInterrupt

    monkeypatch.setattr(benchmarks, "check_benchmark", looked_at)
    ran = run("data", "check", "cifar10", "cifar100", "--data-root", str(tmp_path))
    assert (ran.code, ran.out) == (130, "cifar10, its first set\ncifar100, its first set\n")


def test_help_starts_without_torch():
    """``--help`` has to answer within half a second; torch alone takes several."""
    code = "import sys; from oodkit.cli import app; app(['--help'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for command in ("demo", "diagnose", "augdelete", "list", "data", "cache"):
        assert command in ran.stdout


def test_the_version(run):
    from importlib.metadata import version

    assert run("--version").out == f"oodkit {version('oodkit')}\n"


def test_unknown_commands_are_usage_errors(run):
    ran = run("diagnos")
    assert ran.code == 2
    assert "diagnose" in ran.err


def test_an_error_that_quotes_a_hostile_name_is_one_line_without_terminal_control(run, tmp_path):
    (tmp_path / "a\x1b[31m\nb.safetensors").write_bytes(b"junk")
    ran = run("score", "a\x1b[31m\nb.safetensors", str(tmp_path))
    assert ran.code == 3
    assert ran.err.startswith(r"error: can't read a detector from a\x1b[31m\nb.safetensors: ")
    assert ran.err.removesuffix("\n").isprintable()
