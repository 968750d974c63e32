"""An ablation of training recipes as a plain document, and what every form of its report reads of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.ablation import AS_TRAINED, AUGDELETED, Ablation
from oodkit.report.document import Document, heading, plain

SCHEMA = 1
KIND = "ablate"
MEANS = ("near mean", "far mean", "mean")

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


def rows_by_recipe(document: Document) -> dict[str, dict[str, Row]]:
    """Of each recipe that has rows the one as trained and the one with the last layer refitted, by ``AS_TRAINED``, ``AUGDELETED``."""
    found: dict[str, dict[str, Row]] = {}
    for row in document["rows"]:
        found.setdefault(row["recipe"], {})[row["head"]] = row
    return {recipe: heads for recipe, heads in found.items() if AS_TRAINED in heads and AUGDELETED in heads}
