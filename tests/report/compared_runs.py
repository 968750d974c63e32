"""What the tests of a comparison share: two runs of a model each, the schema, and where to look in a document."""

import json
from copy import deepcopy
from importlib.resources import files

import jsonschema

from oodkit.report.runs import Run

PLAIN, MIXED = "net<br>", "softened & <mixed>"
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(files("oodkit.report").joinpath("schemas/compare.schema.json").read_text("utf-8"))
)


def pair_of(run: Run) -> dict[str, Run]:
    """A run of each of the two models, on the same images: a far set with a hostile name, and one called near."""
    runs = {}
    for model in run.document["models"]:
        document, name = {**deepcopy(run.document), "models": [deepcopy(model)]}, model["name"]
        document["models"][0]["facts"]["weights"] = name.encode().hex()
        runs[name] = Run(document, {name: dict(run.scores[name])}, {}, {name: run.correct[name]})
    return runs


def model_of(run: Run) -> dict:
    return run.document["models"][0]


def result(document, scorer, ood_set, model="B"):
    (found,) = [row for row in document["results"] if (row["scorer"], row["ood_set"], row["model"]) == (scorer, ood_set, model)]
    return found


def far_set(run: Run) -> str:
    return next(row["ood_set"] for row in model_of(run)["results"] if row["group"] == "far")


def scores(pair, scorer):
    """ID, near and far scores of the reference, then of the other model."""
    far = far_set(pair[PLAIN])
    return [[pair[name].scores[name][scorer][one] for one in ("id", "near", far)] for name in (PLAIN, MIXED)]
