"""An assessment of synthetic images as sheets of text: what its tables have in their cells, on a terminal as in Markdown."""

from collections.abc import Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.numerals import number
from oodkit.report.qualities import (
    FLOOR_NAME,
    UNSEEN_NAME,
    digits_for,
    half_note,
    name_of,
    place_beside_floor,
    rows_of,
    seen_note,
    unseen_of,
)
from oodkit.report.sheets import Sheet
from oodkit.wording import DASH, counted, p_value

Row = Mapping[str, Any]

REAL = ("real image", "real images")
EACH_END = 3  # classes that are told of the best and of the worst; JSON, CSV and the page have more


def quality_sheets(document: Document) -> list[Sheet]:
    """The ranking, the labels, the nearest real images, and the best and worst classes of every set."""
    found = [_ranking(document), *_labels(document), _nearest(document)]
    of_floor = {one["name"]: one for one in document["floor"]["classes"]}
    return [*found, *(sheet for row in document["sets"] if (sheet := _classes(row, of_floor)) is not None)]


def _ranking(document: Document) -> Sheet:
    rows = rows_of(document)
    frechet = digits_for(row["frechet"] for row in rows)
    cells = [
        [
            str(row["rank"]) if row["rank"] else "",
            name_of(row),
            number(row["frechet"], frechet, 1),
            _kid(row, digits_for(one["kid_sd"] for one in rows)),
            number(row["density"], 2, 1),
            number(row["coverage"]),
            str(row["coverage_rank"]) if row["coverage_rank"] else "",
        ]
        for row in rows
    ]
    head = ["rank", "set", "Fréchet", "kernel ± s.e.", "density", "coverage, %", "rank by coverage"]
    caption = (
        f"by Fréchet distance, of {document['n']} images each, in the {document['features']} features of {document['extractor']}"
    )
    expected = f"expected of real images: kernel distance 0, density 1, coverage {number(document['expected_coverage'])} %"
    first = [(place, at) for place, row in enumerate(rows) if row["rank"] == 1 for at in range(len(head))]
    return Sheet("Synthetic images", head, cells, caption, words=2, bold=first, below=[expected])


def _kid(row: Row, digits: int) -> str:
    """``0.0123 ± 0.0004``; a dash where there is none."""
    return DASH if row["kid"] is None else f"{number(row['kid'], digits, 1)} ± {number(row['kid_sd'], digits, 1)}"


def _labels(document: Document) -> list[Sheet]:
    rows = rows_of(document)
    if all(row[key] is None for row in rows for key in ("agreement", "confidence", "probe")):
        return []
    cells = [[name_of(row), *(number(row[key]) for key in ("agreement", "confidence", "probe"))] for row in rows]
    head = ["set", "agreement", "confidence", "linear probe"]
    if (unseen := document["unseen"]) is not None:
        cells.append([UNSEEN_NAME, *(number(unseen[key]) for key in ("agreement", "confidence")), DASH])
    tested_on = counted(document["probed_on"], *REAL) + seen_note(document)
    below = [f"linear probe: a head trained on the set's features, its accuracy on {tested_on}"]
    return [Sheet("Labels", head, cells, f"in percent, by {document['extractor']}", below=below)]


def _nearest(document: Document) -> Sheet:
    cells = []
    for row in rows_of(document):
        one = row["nearest"]
        near = f"{one['near_copies']} of {one['images']}"
        cells.append([name_of(row), "may copy" if one["flagged"] else "", number(one["ratio"], 2, 1), near, p_value(one["p"])])
    searched = document["floor"]["nearest"]["searched"]
    caption = f"median distance to the nearest of {searched} real images, over that of {unseen_of(document)}"
    return Sheet(
        "Nearest real images", ["set", "", "ratio", "near-copies", "p"], cells, caption, words=2, below=half_note(document)
    )


def _classes(row: Row, of_floor: Mapping[str, Row]) -> Sheet | None:
    """The worst first, as the user will look for what to mend."""
    known = [one for one in reversed(row["classes"]) if one["above"] is not None]
    if not known:
        return None
    shown = known if len(known) <= 2 * EACH_END else [*known[:EACH_END], *known[-EACH_END:]]
    digits = digits_for(one["kid_sd"] for one in shown)
    cells = [
        [
            one["name"],
            str(one["n"]),
            _kid(one, digits),
            number(of_floor[one["name"]]["kid"], digits, 1),
            place_beside_floor(one),
            number(one["coverage"]),
            number(one["agreement"]),
        ]
        for one in shown
    ]
    head = ["class", "images", "kernel ± s.e.", FLOOR_NAME, "above that", "coverage, %", "agreement, %"]
    which = "" if len(known) == len(shown) else f", the {EACH_END} worst and the {EACH_END} best of {len(known)}"
    return Sheet(f"{row['name']} by class{which}", head, cells)
