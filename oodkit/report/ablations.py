"""An ablation of training recipes as a plain document, and what every form of its report reads of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.ablation import Ablation
from oodkit.evaluation import MEANS
from oodkit.report.document import Document, heading, plain
from oodkit.report.numerals import number
from oodkit.wording import DASH, counted

SCHEMA = 1
KIND = "ablate"
MEAN = "mean"  # what gains are told of

Row = Mapping[str, Any]


def document_of_ablation(
    ablation: Ablation, *, command: str, settings: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]
) -> Document:
    """The document of an ablation: the JSON that is stored, printed and rendered. Fractions in [0, 1], never percent.

    command: as typed. settings: how long and how fast the recipes were trained, JSON-able. sets: one mapping for each image set:
    "name", "role" ("train", "val", "id", "near", "far", or what else it is for), "spec", "fingerprint" and "images".
    """
    return {
        "schema": SCHEMA,
        "kind": KIND,
        **heading(command),
        "settings": dict(settings),
        "sets": [{key: one[key] for key in ("name", "role", "spec", "fingerprint", "images")} for one in sets],
        **plain(ablation),
    }


def title_of(document: Row) -> str:
    """``8 recipes on resnet18 (cifar10:train), 5 seeds each``."""
    recipes, seeds = recipes_of(document), counted(len(document["seeds"]), "seed", "seeds")
    told = f"{counted(len(recipes), 'recipe', 'recipes')} on {document['arch']} ({document['data']}), {seeds}"
    return f"{told}{' each' if len(recipes) > 1 else ''}"


def recipes_of(document: Row) -> list[str]:
    """The recipes that came to figures."""
    return list(dict.fromkeys(row["recipe"] for row in document["rows"]))


def scorers_of(document: Row) -> list[str]:
    """The scorers that gave scores to any recipe."""
    there = {scorer for row in document["rows"] for scorer in row["aurocs"]}
    return [scorer for scorer in document["scorers"] if scorer in there]


def means_of(document: Row) -> list[str]:
    """The means that tell apart: the groups' where there are both, then that which gains are told of."""
    return list(MEANS) if len(set(document["groups"].values())) > 1 else [MEAN]


def sets_of(document: Row) -> list[str]:
    """The OOD sets, near before far."""
    return sorted(document["groups"], key=lambda name: document["groups"][name] != "near")


def best_row(document: Row, scorer: str) -> Row | None:
    """The recipe and head whose AUROC is highest in the mean."""
    rows = [row for row in document["rows"] if MEAN in row["aurocs"].get(scorer, {})]
    return max(rows, key=lambda row: row["aurocs"][scorer][MEAN]["mean"], default=None)


def spread(one: Row | None, digits: int = 2, scale: float = 100) -> str:
    """``83.08 ± 0.41``: mean and standard deviation over the seeds, of one seed the figure alone; a dash for None."""
    if one is None:
        return DASH
    beside = f" ± {number(one['sd'], digits, scale)}" if one["n"] > 1 else ""
    return f"{number(one['mean'], digits, scale)}{beside}"


def as_figure(gain: Row | None) -> Row | None:
    """A gain as a figure with its interval; None where there is none, or no interval."""
    return None if gain is None or gain["low"] is None else {"value": gain["mean"], "low": gain["low"], "high": gain["high"]}


def remarks_on(document: Row) -> list[str]:
    """What is to be said below the tables: what rests on fewer seeds, and the notes. Why a trial failed stands in a table."""
    few = dict.fromkeys(document["recipes"], 0) | {row["recipe"]: row["accuracy"]["n"] for row in document["rows"]}
    wanted = len(document["seeds"])
    found = [f"{recipe}: figures of {n} of {counted(wanted, 'seed', 'seeds')}" for recipe, n in few.items() if n < wanted]
    shifted = any(row["shift"] for row in document["rows"])
    return [*found, *document["notes"], *([] if shifted else without_shift(document))]


def without_shift(document: Row) -> list[str]:
    """Which recipes have no shift, and why, as a sentence; nothing where all have one."""
    unlike = [recipe for recipe in document["unlike"] if recipe in recipes_of(document)]
    whose = "its logits are" if len(unlike) == 1 else "their logits are"
    why = f"{whose} of another kind than those of {document['baseline']}, and have no scale in common with them"
    return [f"No shift is told of {' or '.join(unlike)}: {why}."] if unlike else []
