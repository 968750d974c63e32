"""A result that an earlier oodkit of this schema wrote is read, and told in every form.

``golden/`` was made by the command in its result, noise.npz being twelve images of random pixels. It is what users have on their
disks: while ``SCHEMA`` stays as it is, it is not made again, so that what would leave their runs behind is noticed here.
"""

import json
import shutil
from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oodkit.cli import app
from oodkit.cli.formats import rendered
from oodkit.cli.options import Format
from oodkit.errors import InputError
from oodkit.report.document import KIND, REPAIR
from oodkit.report.html import render_html
from oodkit.report.loading import misfit_of
from oodkit.report.runs import Run, load_run

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Run:
    return load_run(GOLDEN)


def test_nothing_of_it_is_left_out(golden):
    models = ["demo:digits-v1", "demo:digits-v2"]
    assert [model["name"] for model in golden.document["models"]] == [*golden.scores] == models
    assert all(len(golden.scores[model][scorer]["unseen"]) == 40 for model in models for scorer in ("mls", "knn"))
    assert len(golden.thumbnails) == len(list((GOLDEN / "thumbnails").iterdir()))
    model = golden.document["models"][1]
    assert all(model[part] for part in ("shifts", "mixed", "tuning", "densities", "roc", "extremes"))


@pytest.mark.parametrize("form", [*Format, "html"])
def test_it_is_told_in_every_form(golden, form):
    text = render_html(golden) if form == "html" else rendered(golden.document, form)
    assert "demo:digits-v2" in text
    assert "knn" in text


@pytest.mark.parametrize("form", ["text", "markdown", "csv", "json"])
def test_it_is_compared_in_every_form(form):
    done = CliRunner().invoke(app, ["compare", str(GOLDEN), "--published", "--format", form])
    assert done.exception is None
    assert "demo:digits-v2" in done.stdout


def objects(value, path=()) -> Iterator[tuple]:
    """Where each object of a document is; of a list the first entry stands for all."""
    if isinstance(value, dict):
        yield path
        for key, one in value.items():
            yield from objects(one, (*path, key))
    elif isinstance(value, list):
        for one in value[:1]:
            yield from objects(one, (*path, 0))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def test_keys_that_a_later_version_adds_are_let_pass(golden, tmp_path):
    document = deepcopy(golden.document)
    named = {"near", "far", "tune", "read", "sets", "accepted"}  # after image sets: there a key is a set
    for path in objects(golden.document):
        if path == ("inputs", "sets") or not named.intersection(path[-1:]):
            at(document, path)["later"] = {"any": "thing"}
    (tmp_path / "result.json").write_text(json.dumps(document))
    loaded = load_run(tmp_path)
    assert loaded.document == document
    assert "demo:digits-v2" in render_html(loaded)
    assert all(rendered(document, form) for form in Format)


def test_a_mean_that_is_one_but_for_rounding_is_let_pass(golden):
    """As numpy.dot([1 / 6, …], [1, …]) can be."""
    golden.document["models"][0]["results"][0]["auroc"]["high"] = 1.0000000000000002
    assert misfit_of(golden.document, KIND) is None


def test_of_every_key_that_is_missing_the_place_is_told(golden, repaired_run):
    """No form has to meet a document without it. Of a repair there was none in that version."""
    schema = json.loads((files("oodkit.report") / "schemas" / f"{KIND}.schema.json").read_text("utf-8"))
    required = {key for one in (schema, *schema["$defs"].values()) for key in one["required"]}
    missed = missed_in(shortened(golden.document), required)
    assert "shares" not in missed
    repaired = golden.document | {"kind": REPAIR, "repair": repaired_run.document["repair"]}
    assert missed | missed_in({**shortened(repaired), "models": repaired["models"]}, required) == required


def missed_in(document, required):
    """The keys whose lack is told, each taken out of every object that has it."""
    assert misfit_of(document, KIND) is None
    missed = set()
    for path in objects(document):
        for key in required & at(document, path).keys():
            value = at(document, path).pop(key)
            told = misfit_of(document, KIND)
            at(document, path)[key] = value
            if told is not None:
                assert told.startswith("lacks ")
                assert told.endswith(f".{key}" if path else f" {key}")
                missed.add(key)
    return missed


def shortened(value):
    """With one model, one set and so on: a list of objects has its last alone, which is the model that was held against another."""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    return (
        [shortened(one) for one in (value[-1:] if value and isinstance(value[0], dict) else value)]
        if isinstance(value, list)
        else value
    )


def test_a_result_that_lacks_a_key_is_one_line(golden, tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "run")
    del golden.document["models"][0]["roc"]
    (tmp_path / "run" / "result.json").write_text(json.dumps(golden.document))
    with pytest.raises(
        InputError, match=r"result\.json, made by oodkit 0\.1\.0, lacks models\[0\]\.roc; diagnose again: oodkit diagnose"
    ):
        load_run(tmp_path / "run")
