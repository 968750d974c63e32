"""The schema of the result: every kind of document fits it, and nothing else does."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
from importlib.resources import files
from typing import get_args

import jsonschema
import pytest

from oodkit.delong import Comparison
from oodkit.evaluation import Result
from oodkit.extremes import Extremes, ShownImage
from oodkit.max_logits import LogitRow, ShiftRow
from oodkit.refitting import Refit, Strength
from oodkit.repair import Change, Outcome, Repair, Share
from oodkit.report.document import KINDS
from oodkit.report.document import SCHEMA as NUMBER
from oodkit.rivals import Rival
from oodkit.tuning import Tried, Tuning
from oodkit.verdict import Code, Verdict

SCHEMA = json.loads(files("oodkit.report").joinpath("schemas/diagnose.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu", "--scorer", "mls", "--scorer", "knn", "--json")
DEMO = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--fit", "demo:digits:train")


def objects(node) -> Iterator[dict]:
    """Every object that the schema describes key by key; a condition describes none."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield node
        for key, one in node.items():
            yield from objects(one) if key not in {"if", "then"} else ()
    elif isinstance(node, list):
        for one in node:
            yield from objects(one)


def test_it_is_a_schema_and_of_the_version_that_is_written():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == NUMBER
    assert SCHEMA["$id"].endswith(f":{NUMBER}")


def test_every_key_has_a_description_and_every_object_is_closed():
    found = list(objects(SCHEMA))
    assert len(found) == 1 + len(SCHEMA["$defs"])
    for one in found:
        assert one["title"]
        assert one["description"]
        assert all(value["description"] for value in one["properties"].values())
        assert one["additionalProperties"] is (one["title"] == "The facts of a model")
        left_out = set(one["properties"]) - set(one["required"])
        assert left_out <= {"rivals", "repair"} or one["title"] in {"The versions", "The facts of a model"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("result", Result),
        ("search", Tuning),
        ("tried", Tried),
        ("max_logits", LogitRow),
        ("shift", ShiftRow),
        ("comparison", Comparison),
        ("extremes", Extremes),
        ("image", ShownImage),
        ("rival", Rival),
        ("verdict", Verdict),
        ("share", Share),
        ("change", Change),
        ("strength", Strength),
    ],
)
def test_its_keys_are_those_of_the_dataclasses_in_their_order(name, kind):
    assert list(SCHEMA["$defs"][name]["properties"]) == [one.name for one in fields(kind)]


def test_a_repair_is_its_dataclass_with_the_images_and_its_refit_that_without_the_head():
    repair, refit = ([one.name for one in fields(kind)] for kind in (Repair, Refit))
    assert list(SCHEMA["$defs"]["repair"]["properties"]) == [*repair, "train"]
    assert ["head", *SCHEMA["$defs"]["refit"]["properties"]] == refit
    assert SCHEMA["$defs"]["repair"]["properties"]["outcome"]["enum"] == list(get_args(Outcome))
    assert SCHEMA["properties"]["kind"]["enum"] == list(KINDS)


def test_it_knows_every_verdict():
    assert SCHEMA["$defs"]["verdict"]["properties"]["code"]["enum"] == list(get_args(Code))


def test_a_document_with_everything_fits(document):
    """Mixed images, unreadable files, extremes, hostile names."""
    assert document["models"][0]["mixed"]["baseline"]
    assert document["sets"][1]["skipped_files"]
    assert document["models"][0]["extremes"]
    VALIDATOR.validate(document)


def test_several_models_with_a_baseline_fit(compared_run):
    document = compared_run.document
    assert document["models"][1]["shifts"]
    VALIDATOR.validate(document)


def test_a_repair_fits_in_its_kind_alone(repaired_run):
    """It is of two models, and a run of that kind has one."""
    document = repaired_run.document
    assert (document["kind"], len(document["repair"]["shares"])) == ("augdelete", 4)
    VALIDATOR.validate(document)
    assert not VALIDATOR.is_valid({**document, "models": document["models"][:1]})
    assert not VALIDATOR.is_valid({key: value for key, value in document.items() if key != "repair"})


def test_a_document_in_which_nothing_was_scored_fits(document):
    (model,) = document["models"]
    for row in model["results"]:
        row.update(dict.fromkeys(("auroc", "fpr95_ood", "fpr95_id", "aupr_in", "aupr_out")), reason="no scores")
    model |= {"best": None, "extremes": None, "roc": [], "mixed": None}
    VALIDATOR.validate(document)


@pytest.fixture
def typed(monkeypatch, tmp_path):
    """What the command line prints as JSON."""
    from typer.testing import CliRunner

    from oodkit.cli import app

    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> dict:
        done = CliRunner().invoke(app, ["diagnose", *words, *SMALL, "--cache", str(tmp_path / "cache")])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return invoke


def test_a_tuned_run_fits(typed):
    document = typed("demo:digits-v2", *DEMO, "--tune", "mine=demo:photo-patches")
    assert document["models"][0]["tuning"][0]["tried"]
    VALIDATOR.validate(document)


def test_a_run_without_training_images_or_thumbnails_of_two_models_fits(typed):
    sets = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--thumbnails", "0", "--baseline", "none")
    document = typed("demo:digits-v1", "demo:digits-v2", *sets)
    assert [model["extremes"] for model in document["models"]] == [None, None]
    assert document["models"][0]["results"][-1]["reason"]
    VALIDATOR.validate(document)


def paths(value, path=()) -> Iterator[tuple]:
    """Where each object of a document is."""
    if isinstance(value, dict):
        yield path
        for key, one in value.items():
            yield from paths(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from paths(one, (*path, place))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def test_a_key_too_many_is_refused_wherever_the_keys_are_known(document, repaired_run):
    """Open are the facts, the preprocessing, a scorer's settings, and what is named after image sets."""
    document["kind"], document["repair"] = "augdelete", repaired_run.document["repair"]
    document["models"] *= 2
    places = {shape(path): path for path in paths(document)}
    open_ones = {place for place, path in places.items() if not refuses(deepcopy(document), path)}
    model = ("models", 0)
    assert open_ones == {
        (*model, "facts"),
        (*model, "facts", "preprocessing"),
        (*model, "results", 0, "settings"),
        ("inputs", "loading", "model_args"),
    }


def shape(path):
    """One of each list stands for all."""
    return tuple(0 if isinstance(key, int) else key for key in path)


def refuses(document, path) -> bool:
    at(document, path)["stray"] = {"any": "thing"}
    return not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 1),
        (("kind",), "compare"),
        (("models",), []),
        (("models", 0, "accuracy", "value"), 1.5),
        (("models", 0, "accuracy", "low"), None),
        (("models", 0, "results", 0, "auroc"), 0.9),
        (("models", 0, "results", 0, "group"), "middle"),
        (("models", 0, "results", 0, "n_id"), "40"),
        (("models", 0, "results", 0, "n_ood"), 0.5),
        (("models", 0, "max_logits", 0, "mean"), 3.1),
        (("models", 0, "densities", 0, "edges"), [0, 1]),
        (("models", 0, "extremes", "rejected", 0, "below"), 1.01),
        (("models", 0, "extremes", "rejected", 0, "thumbnail"), "../../etc/passwd.png"),
        (("models", 0, "rivals", 0, "p_value"), 2),
        (("models", 0, "verdict", "code"), "fine"),
        (("sets", 0, "role"), "mean"),
        (("sets", 0, "fingerprint"), "no hash"),
        (("created",), None),
    ],
)
def test_a_wrong_value_is_refused(document, path, value):
    holder = at(document, path[:-1])
    assert path[-1] in (holder if isinstance(holder, dict) else range(len(holder)))
    holder[path[-1]] = value
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("key", ["inputs", "models", "settings"])
def test_a_missing_key_is_refused(document, key):
    del document[key]
    assert not VALIDATOR.is_valid(document)
