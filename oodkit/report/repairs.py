"""What every form of the report reads of a repair, so that none leaves out what another tells."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.refitting import GAIN
from oodkit.report.document import KIND, REPAIR, Document
from oodkit.report.numerals import number, signed
from oodkit.report.remarks import doubt_of, useful_means
from oodkit.wording import DASH, counted

Row = Mapping[str, Any]
SMALLEST = 1e-6  # share that is told as it is
STARTS = {"head": "the present head", "zeros": "zeros"}
STEPS = {"lbfgs": ("pass over all images", "passes over all images"), "sgd": ("batch", "batches")}


def repair_of(document: Row) -> Row | None:
    """The repair that the document is of; None where it is of a diagnosis. Its models are the one before and the one after."""
    return document["repair"] if document["kind"] == REPAIR else None


def summary_changes(document: Document) -> list[Row]:
    """What became of every scorer in the mean that scorers are compared by, best first after the repair."""
    summary = document["models"][1]["summary"]
    return [row for row in document["repair"]["changes"] if row["ood_set"] == summary]


def change_of(document: Document, scorer: str | None) -> Row | None:
    """One scorer's row of these."""
    return next((row for row in summary_changes(document) if row["scorer"] == scorer), None)


def unchanged_line(changes: Iterable[Row], model: Row | None = None) -> str:
    """The scorers that the repair leaves as they are, with their AUROC in percent; nothing where there are none.

    model: one of the two, whose doubts stand beside the figures.
    """
    results = [] if model is None else model["results"]
    doubts = {row["scorer"]: f" (in doubt: {doubt})" for row in results if (doubt := doubt_of(row))}
    unchanged = [row for row in changes if not row["changed"]]
    same = [f"{row['scorer']} {number(row['auroc_after'])}{doubts.get(row['scorer'], '')}" for row in unchanged]
    return f"unchanged, image by image: {', '.join(same)}" if same else ""


def columns_of(changes: Sequence[Row]) -> list[tuple[str, str]]:
    """The sets and means that changes are told of one by one, with their groups: means over several sets first."""
    groups = {row["ood_set"]: row["group"] for row in changes}
    means = useful_means(changes)
    sets = [name for name in groups if name not in MEANS]
    return [(name, groups[name]) for name in (*reversed(means), *sets)]


def by_set(changes: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """The changes of each scorer whose scores changed anywhere, by set and mean."""
    found: dict[str, dict[str, Row]] = {}
    for row in changes:
        found.setdefault(row["scorer"], {})[row["ood_set"]] = row
    return {scorer: rows for scorer, rows in found.items() if any(row["changed"] for row in rows.values())}


def logit_pairs(models: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The maximal logit's rows before and after, set by set."""
    before, after = ({row["image_set"]: row for row in model["max_logits"]} for model in models[:2])
    return [(before[name], row) for name, row in after.items() if name in before]


def share_name(frac: float) -> str:
    """``20 %``; of 0, the head as it was, that too."""
    if 0 < frac < SMALLEST:
        return f"under {100 * SMALLEST:.4f} %"
    return f"{100 * frac:g} %" if frac else "0, untouched"


def share_scorers(shares: Iterable[Row]) -> list[str]:
    """The scorers that are told share by share."""
    return list(dict.fromkeys(scorer for one in shares for scorer in one["aurocs"]))


def has_changed(repair: Row) -> bool:
    """Whether any score of any scorer did: else before and after are the same figures, which a note says."""
    return any(row["changed"] for row in repair["changes"])


def has_curve(repair: Row) -> bool:
    """Whether several shares were refitted on, and did not all do the same as nothing: of one alone the other tables tell all."""
    first, *others = repair["shares"]
    return len(others) > 1 and any(one[key] != first[key] for one in others for key in ("aurocs", "accuracy"))


def share_difference(share: Row) -> str:
    """How the maximal logit's AUROC differs from the untouched head's, with its interval; a dash for that head itself."""
    return DASH if share["difference"] is None else signed(share["difference"])


def before_alone(document: Document) -> Document:
    """What a diagnosis would have told of the model before the repair."""
    rest = {name: value for name, value in document.items() if name != "repair"}
    return {**rest, "kind": KIND, "models": document["models"][:1]}


def solver_facts(repair: Row) -> list[tuple[str, str]]:
    """How the head was refitted: what it is called, and what it was."""
    refit, train = repair["refit"], repair["train"]
    views = f"{counted(train['views'], 'augmented view', 'augmented views')} of each" if train["views"] else "as they are evaluated"
    facts = [
        ("training images", f"{train['taken']} of {train['images']} of {train['spec']}, {views}"),
        ("solver", f"{refit['solver']}, started at {STARTS[refit['init']]}"),
        ("fitted on", f"{counted(refit['n_fit'], 'image', 'images')}, {counted(refit['steps'], *STEPS[refit['solver']])}"),
        ("strength of the penalty", f"l2 = {refit['l2']:.3g}{_chosen(refit)}"),
    ]
    if refit["held_out_loss"] is not None:
        facts.append(_loss_fact(refit))
    if refit["gap"] is not None and refit["gradient"] is not None:
        facts.append(("end", f"within {refit['gap']:.2g} nats of the minimum, gradient norm {refit['gradient']:.2g}"))
    return [*facts, ("time", f"{number(repair['seconds'], 2, 1)} s for the refits")]


def _chosen(refit: Row) -> str:
    """By the rule of ``oodkit.refitting``: from strong to weak, to the first that brings less than GAIN, which is not taken."""
    tried, rule = refit["tried"], f"the {_loss_name(refit)} by {GAIN} nats more"
    if not tried:
        return ""
    if refit["l2"] == tried[-1]["l2"]:
        return f", the weakest of {len(tried)} tried: each lowers {rule} than the one before"
    return f", of {len(tried)} tried from strong to weak the last but one: the weaker one does not lower {rule}"


def _loss_fact(refit: Row) -> tuple[str, str]:
    losses = f"{number(refit['start_loss'], 4, 1)} → {number(refit['held_out_loss'], 4, 1)} nats"
    images = counted(refit["n_held_out"], "image", "images")
    if _judged_by_val(refit):
        return _loss_name(refit), f"{losses}, of {images}"
    return _loss_name(refit), f"{losses}, of {images} held out of the training images, before the last fit, on all of them"


def _loss_name(refit: Row) -> str:
    return "validation loss" if _judged_by_val(refit) else "held-out loss"


def loss_caption(repair: Row) -> str:
    """Whose loss the table of shares tells."""
    return "validation images" if _judged_by_val(repair["refit"]) else "held-out training images before the last fit"


def _judged_by_val(refit: Row) -> bool:
    return bool(refit["judged_by"] == "val")


def repair_notes(repair: Row) -> list[str]:
    """What else is to be known of it: the repair's own notes and the refit's, each once."""
    return list(dict.fromkeys([*repair["notes"], *repair["refit"]["notes"]]))
