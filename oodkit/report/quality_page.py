"""An assessment of synthetic images as one self-contained HTML file."""

from collections.abc import Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.glossary import terms_named
from oodkit.report.markup import drawn, environment_with, frame
from oodkit.report.pictures import Bar, bars_svg
from oodkit.report.qualities import (
    FLOOR_NAME,
    UNSEEN_NAME,
    class_rows,
    digits_for,
    half_note,
    maker_of,
    mean_above,
    name_of,
    place_beside_floor,
    rows_of,
    seen_note,
    sentence_of,
    title_of,
    unseen_of,
)
from oodkit.report.tiles import picture_of, within_limits
from oodkit.synth.quality.found import FLOOR

Row = Mapping[str, Any]

ALWAYS = {"synthetic", "floor", "frechet", "kernel", "density-and-coverage", "nearest-real", "logits"}
OF_LABELS = {"agreement": "agreement", "confidence": "confidence", "probe": "linear-probe"}
LONGEST_TABLE = 200  # classes; of more the worst and the best half of so many


def quality_html(document: Document, thumbnails: Mapping[str, bytes]) -> str:
    """The page's text. Everything that comes from the user's files is escaped, and no script but the report's own can run."""
    rows = rows_of(document)
    labelled = {key: term for key, term in OF_LABELS.items() if any(row[key] is not None for row in rows)}
    terms = terms_named(ALWAYS | set(labelled.values()))
    environment = environment_with({one["key"] for one in terms})
    environment.filters |= {"name_of": name_of, "maker_of": maker_of, "beside_floor": place_beside_floor}
    classes = class_rows(document)
    known = {
        "document": document,
        "title": title_of(document),
        "sentence": sentence_of(document),
        "rows": rows,
        "floor_name": FLOOR_NAME,
        "unseen_name": UNSEEN_NAME,
        "unseen": unseen_of(document),
        "half_note": half_note(document),
        "seen_note": seen_note(document),
        "makers": any(one["made_by"] for one in document["image_sets"]),
        "labelled": labelled,
        "digits": {
            "frechet": digits_for(row["frechet"] for row in rows),
            "kid": digits_for(row["kid_sd"] for row in rows),
            "classes": digits_for(one["kid_sd"] for row in rows for one in row["classes"] if one["kid_sd"] is not None),
        },
        "pictures": [drawn(one) for one in _pictures(document)],
        "classes": _shown(classes),
        "count": len(classes),
        "measured": len(mean_above(document["sets"])),
        "columns": [row["name"] for row in rows],
        "remarks": document["notes"],
        "terms": terms,
        **frame(environment),
    }

    def page(shown: int) -> str:
        samples = [_pictured(one, thumbnails, shown, classes.get(one["class"])) for one in document["samples"]]
        copies = [_pictured(one, thumbnails, shown) for one in document["copies"]]
        rendered: str = environment.get_template("quality.html.j2").render(known, samples=samples, copies=copies)
        return rendered

    lists = [row["images"] for key in ("samples", "copies") for one in document[key] for row in one["rows"]]
    return within_limits(page, lists, thumbnails)


def _shown(classes: Mapping[str, Mapping[str, Row]]) -> dict[str, Mapping[str, Row]]:
    """As many as a table shows, the worst first."""
    items = list(classes.items())
    half = LONGEST_TABLE // 2
    return dict(items if len(items) <= LONGEST_TABLE else [*items[:half], *items[-half:]])


def _pictured(one: Row, thumbnails: Mapping[str, bytes], shown: int, figures: Mapping[str, Row] | None = None) -> dict[str, Any]:
    """A class's samples with its figures in each set, or a set's near-copies; with ``shown`` images a row at most."""
    rows = [
        {
            "name": row["set"],
            "figures": None if row["set"] == FLOOR else (figures or {}).get(row["set"]),
            "images": [picture_of(image, thumbnails) for image in row["images"][:shown]],
        }
        for row in one["rows"]
    ]
    return {**one, "rows": rows}


def _pictures(document: Document) -> list[str]:
    """What the sets are ranked by, and the two figures that do not grow with fewer images."""
    sets, floor = document["sets"], document["floor"]
    percent = {"frechet": 1, "kid": 1, "coverage": 100}
    axes = {
        "frechet": "Fréchet distance, less is better",
        "kid": "kernel distance, less is better",
        "coverage": "coverage, percent",
    }
    found = []
    for key, axis in axes.items():
        bars = [Bar(row["name"], percent[key] * row[key], row["kid_sd"] if key == "kid" else 0) for row in sets]
        found.append(bars_svg(bars, Bar(FLOOR_NAME, percent[key] * floor[key]), axis))
    return found
