"""An assessment of synthetic images as a plain document, and what every form of its report reads of it."""

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log10
from typing import Any

from oodkit.report.document import Document, heading, plain
from oodkit.report.numerals import number
from oodkit.synth.quality.found import FLOOR, Quality
from oodkit.wording import DASH, counted, decimal

SCHEMA = 1
KIND = "quality"
FLOOR_NAME = "real against real"
UNSEEN_NAME = "held-out real images"
WITHIN = 2  # standard errors

Row = Mapping[str, Any]


def document_of_quality(
    quality: Quality,
    *,
    command: str,
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    sets: Sequence[Mapping[str, Any]],
    samples: Sequence[Mapping[str, Any]] = (),
    copies: Sequence[Mapping[str, Any]] = (),
) -> Document:
    """The document of an assessment: the JSON that is stored, printed and rendered. Fractions in [0, 1], never percent.

    command: as typed. settings: what else was asked for, JSON-able. model: what is known of the extractor. sets: one mapping for
    each image set: "name", "role" ("real", "held-out" or "synthetic"), "spec", "fingerprint", "images" and "made_by", the
    "generator" with its "licence", None where that is not known. samples: of a class "class", its "place" among those that are
    ordered, from 1 = best, and "rows", each with the "set" and "images" ("name", "thumbnail"). copies: of a set its "set" and
    two "rows": the near-copies, and what each of them is near to.
    """
    return {
        "schema": SCHEMA,
        "kind": KIND,
        **heading(command),
        "settings": dict(settings),
        "model": dict(model),
        "image_sets": plain(list(sets)),
        **plain(quality),
        "samples": plain(list(samples)),
        "copies": plain(list(copies)),
    }


def title_of(document: Row) -> str:
    """``2 sets of synthetic images beside demo:digits:train, 500 of each``."""
    sets = counted(len(document["sets"]), "set", "sets")
    return f"{sets} of synthetic images beside {document['real']}, {document['n']} of each"


def sentence_of(document: Row) -> str:
    """What comes first, and how far it is above the floor; where coverage orders otherwise, what comes first by that.

    A copy is as near to the real images as can be: where the first may hold copies, its place tells nothing.
    """
    sets = document["sets"]
    level = [one for one in sets if one["rank"] == 1]
    first, digits = level[0], digits_for(one["frechet"] for one in rows_of(document))
    distance = f"a Fréchet distance of {number(first['frechet'], digits, 1)} to the real images{_beside_floor(document, digits)}"
    if len(sets) == 1:
        return f"{first['name']} has {distance}.{_copies(level, sets)}"
    covering = min(sets, key=lambda one: one["coverage_rank"])
    also = "" if covering in level else f" By coverage {covering['name']} comes first, with {number(covering['coverage'])} %."
    if len(level) == 1:
        return f"{first['name']} comes first, with {distance}.{_copies(level, sets)}{also}"
    noise = f"the {number(document['frechet_noise'], digits, 1)} by which real images differ"
    others = f"{', '.join(one['name'] for one in level[:-1])} and {level[-1]['name']} are level and come first"
    return f"{others}, within {noise}; {first['name']} has {distance}.{_copies(level, sets)}{also}"


def _copies(level: Sequence[Row], sets: Sequence[Row]) -> str:
    flagged = [one["name"] for one in level if one["nearest"]["flagged"]]
    if not flagged:
        return ""
    who = "It" if len(level) == 1 else ", ".join(flagged)
    whose = "its" if len(flagged) == 1 else "their"
    return f" {who} may hold copies of them{f', so that {whose} place tells little' if len(sets) > 1 else ''}."


def _beside_floor(document: Row, digits: int) -> str:
    own, least = document["sets"][0]["frechet"], document["floor"]["frechet"]
    if own < least or least <= 0:
        return f", where other real images have {number(least, digits, 1)}"
    return f", {decimal(own / least, 1)} times the {number(least, digits, 1)} of other real images"


def rows_of(document: Row) -> list[Row]:
    """The synthetic sets by rank, then the floor."""
    return [*document["sets"], document["floor"]]


def name_of(row: Row) -> str:
    """The set's name; the floor is called by what it is. No set of the user's can be named as the floor is."""
    return FLOOR_NAME if row["name"] == FLOOR else str(row["name"])


def maker_of(image_set: Row) -> str:
    """``biggan, licence MIT``; nothing where that is not known."""
    made_by = image_set["made_by"]
    return "" if made_by is None else f"{made_by['generator']}, licence {made_by['licence']}"


def unseen_of(document: Row) -> str:
    """Whose distances to the nearest real image those of the sets are held against."""
    return str(document["held_out"] or "the other half of the real images")


def seen_note(document: Row) -> str:
    """What is to be known of the real images that linear probes are measured on, behind their number."""
    return "" if document["held_out"] else ", which generators and often the classifier learnt from"


def half_note(document: Row) -> list[str]:
    """How many of the real images were searched, where it is not all of them."""
    floor = document["floor"]
    searched, there = floor["nearest"]["searched"], floor["images"]
    if searched == there:
        return []
    why = "could not be read" if document["held_out"] else "are not noticed: with --held-out SET all are searched"
    missed = "the others" if document["held_out"] else "copies of the others"
    return [f"searched {searched} of {counted(there, 'real image', 'real images')}: {missed} {why}"]


def digits_for(values: Iterable[float]) -> int:
    """How many decimals a column needs for two figures of its smallest number, which is not 0; at most 6."""
    smallest = min((abs(value) for value in values if value), default=1.0)
    return min(max(1 - floor(log10(smallest)), 0), 6)


def place_beside_floor(one: Row) -> str:
    """``within error``, or ``5.2 s.e.``, of a class's kernel distance above that of real images; a dash where there is none."""
    if one["above"] is None:
        return DASH
    return "within error" if one["above"] < WITHIN else f"{number(one['above'], 1, 1)} s.e."


def classes_worst_first(document: Row) -> list[str]:
    """The classes that were compared by how far they lie above the floor, the mean over the sets; those without that last."""
    above = mean_above(document["sets"])
    every = dict.fromkeys(one["name"] for row in document["sets"] for one in row["classes"])
    return [*sorted(above, key=lambda name: -above[name]), *(name for name in every if name not in above)]


def mean_above(sets: Sequence[Row]) -> dict[str, float]:
    """By class how far its kernel distance lies above the floor's, in standard errors: the mean over the sets that tell."""
    found: dict[str, list[float]] = {}
    for row in sets:
        for one in row["classes"]:
            if one["above"] is not None:
                found.setdefault(one["name"], []).append(one["above"])
    return {name: sum(values) / len(values) for name, values in found.items()}


def class_rows(document: Row) -> dict[str, dict[str, Row]]:
    """By class, the worst first, and then by set, what is known of it."""
    by_set = {row["name"]: {one["name"]: one for one in row["classes"]} for row in rows_of(document)}
    return {name: {its: own[name] for its, own in by_set.items() if name in own} for name in classes_worst_first(document)}
