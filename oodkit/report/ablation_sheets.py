"""An ablation as sheets of text: what its tables have in their cells, on a terminal as in Markdown."""

from collections.abc import Mapping
from typing import Any

from oodkit.report.ablations import MEAN, as_figure, best_row, means_of, scorers_of, sets_of, spread, without_shift
from oodkit.report.document import Document
from oodkit.report.numerals import number, with_interval
from oodkit.report.sheets import Sheet
from oodkit.wording import DASH, p_value

Row = Mapping[str, Any]


def ablation_sheets(document: Document, *, intervals: bool) -> list[Sheet]:
    """The accuracy, each scorer's AUROC, and the shift of the maximal logit, recipe by recipe.

    intervals: whether every gain has its own beside it, and every OOD set is told of; a terminal has room for neither.
    """
    found = [_accuracies(document, intervals=intervals)] if document["rows"] else []
    for scorer in scorers_of(document):
        found.append(_scorer(document, scorer, intervals=intervals))
        if intervals and len(document["groups"]) > 1:
            found.append(_sets(document, scorer))
    return [*found, *_shifts(document), *_failures(document)]


def against(document: Document) -> str:
    """What the gains are differences to."""
    return f"{document['baseline']} as trained"


def _over_seeds(document: Document) -> str:
    return "mean ± standard deviation over the seeds, in percent" if len(document["seeds"]) > 1 else "in percent, of one seed"


def _test(document: Document) -> list[str]:
    if len(document["seeds"]) < 2:
        return ["with one seed no difference has an interval: --seeds 5 trains five"]
    return [
        f"minus {document['baseline']}: against {against(document)} with the same seeds; intervals of 95 % and p by Student's t"
    ]


def _accuracies(document: Document, *, intervals: bool) -> Sheet:
    rows = [
        [row["recipe"], row["head"], spread(row["accuracy"]), *_gain(row["accuracy_gain"], intervals=intervals)]
        for row in document["rows"]
    ]
    head = ["recipe", "head", "ID accuracy", f"minus {document['baseline']}", "p"]
    return Sheet("ID accuracy", head, rows, _over_seeds(document), words=2, below=_test(document))


def _scorer(document: Document, scorer: str, *, intervals: bool) -> Sheet:
    means, best = means_of(document), best_row(document, scorer)
    rows: list[list[str]] = []
    bold: list[tuple[int, int]] = []
    for row in document["rows"]:
        aurocs, fprs = row["aurocs"].get(scorer, {}), row["fpr95_ood"].get(scorer, {})
        if row is best:
            bold = [(len(rows), column) for column in range(len(means) + 5)]
        gain = (row["gain"] or {}).get(scorer)
        figures = [*(spread(aurocs.get(name)) for name in means), *_gain(gain, intervals=intervals), spread(fprs.get(MEAN))]
        rows.append([row["recipe"], row["head"], *figures])
    head = ["recipe", "head", *means, f"minus {document['baseline']}", "p", "FPR@95"]
    caption = f"AUROC, {_over_seeds(document)}; difference and FPR@95 are those of the mean"
    return Sheet(f"{scorer} by recipe", head, rows, caption, words=2, bold=bold)


def _sets(document: Document, scorer: str) -> Sheet:
    names = sets_of(document)
    rows = [
        [row["recipe"], row["head"], *(spread(row["aurocs"].get(scorer, {}).get(name)) for name in names)]
        for row in document["rows"]
    ]
    head = ["recipe", "head", *(f"{name} ({document['groups'][name]})" for name in names)]
    return Sheet(f"{scorer}, set by set", head, rows, f"AUROC, {_over_seeds(document)}", words=2)


def _gain(gain: Row | None, *, intervals: bool) -> list[str]:
    """The difference and its p."""
    if gain is None:
        return [DASH, DASH]
    figure = as_figure(gain)
    shown = with_interval(figure, sign=True) if intervals and figure else number(gain["mean"], sign=True)
    return [shown, DASH if gain["p"] is None else p_value(gain["p"])]


def _shifts(document: Document) -> list[Sheet]:
    rows = [row for row in document["rows"] if row["shift"]]
    if not rows:
        return []
    names = sets_of(document)
    cells = [[row["recipe"], *(spread(row["shift"].get(name), 3, 1) for name in names)] for row in rows]
    head = ["recipe", *(f"{name} ({document['groups'][name]})" for name in names)]
    caption = f"(r_id − r_ood)/(1 − r_ood) against {against(document)}, before AugDelete; above 0, ID fell more than OOD"
    return [Sheet("Shift of the maximal logit", head, cells, caption, below=without_shift(document))]


def _failures(document: Document) -> list[Sheet]:
    cells = [[one["recipe"], str(one["seed"]), one["reason"]] for one in document["failures"]]
    return [Sheet("Trials without figures", ["recipe", "seed", "reason"], cells, "", words=3)] if cells else []
