"""A repair as sheets of text: before and after, once for the terminal and Markdown."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.report.document import Document
from oodkit.report.numerals import number, signed, with_interval
from oodkit.report.repairs import (
    by_set,
    columns_of,
    has_changed,
    has_curve,
    logit_pairs,
    loss_caption,
    share_difference,
    share_name,
    share_scorers,
    solver_facts,
    summary_changes,
    unchanged_line,
)
from oodkit.report.sheets import Sheet
from oodkit.wording import DASH, p_value

Row = Mapping[str, Any]
Show = Callable[..., str]
TESTS = (
    "p: the paired DeLong test; of mls, the one test that was fixed beforehand, as it is, of all other scorers whose scores "
    "changed adjusted after Holm. Of the accuracy McNemar's exact test. Intervals are not adjusted"
)


def repair_sheets(document: Document, *, intervals: bool) -> list[Sheet]:
    """The tables of a repair, those left out that would tell nothing new.

    intervals: whether every figure has its own beside it, and every set is told of; a terminal has room for neither.
    """
    show = with_interval if intervals else number
    moved = has_changed(document["repair"])
    made = (
        _scorers(document, show) if moved else None,
        _sets(document, show) if intervals and moved else None,
        _max_logits(document, show) if moved else None,
        _shares(document["repair"], show),
        _facts(document["repair"]),
    )
    return [sheet for sheet in made if sheet is not None]


def _arrow(before: str, after: str) -> str:
    """``72.84 → 83.08``."""
    return f"{before} → {after}"


def _scorers(document: Document, show: Show) -> Sheet:
    """The accuracy, then the scorers whose scores changed by their summary mean; the others in a line below."""
    before, after = document["models"][:2]
    accuracy, accuracies = document["repair"]["accuracy"], _arrow(show(before["accuracy"]), show(after["accuracy"]))
    rows = [["ID accuracy", accuracies, signed(accuracy), p_value(accuracy["p_value"]), DASH]]
    bold: list[tuple[int, int]] = []
    rough = partial(show, digits=1)  # 80 columns have room for no more
    changes = summary_changes(document)
    for one in (row for row in changes if row["changed"]):
        label = one["scorer"]
        if label == after["best"]:
            label, bold = f"{label} (best)", [(len(rows), column) for column in range(5)]
        aurocs = _arrow(show(one["auroc_before"]), show(one["auroc_after"]))
        fprs = _arrow(rough(one["fpr95_before"]), rough(one["fpr95_after"]))
        rows.append([label, aurocs, signed(one["difference"]), p_value(one["p_holm"]), fprs])
    head = ["scorer", "AUROC", "difference", "p", "FPR@95"]
    caption = f"{after['summary']} in percent, differences with 95 % intervals"
    below = [line for line in (unchanged_line(changes, after), TESTS) if line]
    return Sheet("Before and after the repair", head, rows, caption, bold=bold, below=below)


def _sets(document: Document, show: Show) -> Sheet | None:
    """The AUROC on each set and mean; nothing where there is one set, whose figures stand in the first table."""
    changes = document["repair"]["changes"]
    columns, scorers = columns_of(changes), by_set(changes)
    if len(columns) < 2 or not scorers:
        return None
    rows = [
        [
            scorer,
            *(
                _arrow(show(own[name]["auroc_before"]), show(own[name]["auroc_after"])) if name in own else DASH
                for name, _ in columns
            ),
        ]
        for scorer, own in scorers.items()
    ]
    head = ["scorer", *(name if name in MEANS else f"{name} ({group})" for name, group in columns)]
    return Sheet("Before and after, set by set", head, rows, "AUROC in percent")


def _max_logits(document: Document, show: Show) -> Sheet | None:
    wide, signed = partial(show, digits=3, scale=1), partial(show, digits=2, scale=1, sign=True)
    rows = [
        [
            new["image_set"],
            str(new["n"]),
            _arrow(wide(old["mean"]), wide(new["mean"])),
            _arrow(number(old["std"], 3, 1), number(new["std"], 3, 1)),
            DASH if old["gap"] is None else _arrow(signed(old["gap"]), signed(new["gap"])),
        ]
        for old, new in logit_pairs(document["models"])
    ]
    return Sheet("Maximal logit before and after", ["set", "images", "mean", "std", "gap to ID"], rows) if rows else None


def _shares(repair: Row, show: Show) -> Sheet | None:
    if not has_curve(repair):
        return None
    scorers = share_scorers(repair["shares"])
    rows = [
        [
            share_name(one["frac"]),
            str(one["images"]),
            show(one["accuracy"]),
            *(show(one["aurocs"].get(scorer)) for scorer in scorers),
            share_difference(one),
            DASH if one["l2"] is None else f"{one['l2']:.3g}",
            number(one["held_out_loss"], 4, 1),
        ]
        for one in repair["shares"]
    ]
    head = ["share", "images", "accuracy", *scorers, "mls − untouched", "l2", "loss"]
    caption = f"ID accuracy and AUROC in percent, the loss of {loss_caption(repair)} in nats"
    return Sheet("Shares of the training images", head, rows, caption)


def _facts(repair: Row) -> Sheet:
    return Sheet("How the head was refitted", ["what", "how"], solver_facts(repair), words=2)
