"""A repair as the page's templates read it."""

from collections.abc import Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.markup import drawn
from oodkit.report.model_names import renamed
from oodkit.report.numerals import as_figure
from oodkit.report.papers import source_of
from oodkit.report.pictures import dumbbells_svg, shares_svg
from oodkit.report.repairs import (
    by_set,
    change_of,
    columns_of,
    has_changed,
    has_curve,
    logit_pairs,
    loss_caption,
    repair_notes,
    repair_of,
    share_difference,
    share_name,
    share_scorers,
    solver_facts,
    summary_changes,
    unchanged_line,
)


def repair_view(document: Document, short: Mapping[str, str]) -> dict[str, Any] | None:
    """All that the document says of its repair, and what is made of it; None of a diagnosis. short: names as the page has them."""
    repair = repair_of(document)
    if repair is None:
        return None
    before, after = document["models"][:2]
    changes, summary = [_change(row) for row in summary_changes(document)], after["summary"]
    return {
        **repair,
        "sentence": renamed(repair["sentence"], short),
        "summary": summary,
        "mls": change_of(document, "mls"),
        "top": change_of(document, after["best"]),
        "best_before": before["best"],
        "accuracies": (before["accuracy"], after["accuracy"]),
        "accuracy_figure": as_figure(repair["accuracy"]),
        "changes": [row for row in changes if row["changed"]],
        "unchanged": unchanged_line(changes, after),
        "columns": columns_of(repair["changes"]),
        "by_set": by_set(repair["changes"]),
        "logits": logit_pairs(document["models"]) if has_changed(repair) else [],
        "dumbbells": drawn(dumbbells_svg(changes, summary)) if has_changed(repair) else None,
        "curve": drawn(shares_svg(repair["shares"], summary)) if has_curve(repair) else None,
        "share_rows": [
            {**one, "name": share_name(one["frac"]), "from_untouched": share_difference(one)} for one in repair["shares"]
        ],
        "loss_of": loss_caption(repair),
        "share_scorers": share_scorers(repair["shares"]),
        "facts": solver_facts(repair),
        "remarks": repair_notes(repair),
    }


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "difference": as_figure(row["difference"]), "source": source_of(row["scorer"])}
