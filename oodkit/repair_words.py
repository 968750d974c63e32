"""What is said of a repair: its outcome in sentences, and what else is to be known of it in notes."""

import math
from collections.abc import Sequence

from oodkit.changes import Change, Share
from oodkit.delong import NO_DIFFERENCE, Comparison
from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import Result, best
from oodkit.lead import MARGIN
from oodkit.metrics import Estimate
from oodkit.refitting import Refit
from oodkit.rivals import APART
from oodkit.scorers import SCORERS
from oodkit.scoring import by_label
from oodkit.wording import decimal, p_told, percent, signed

LARGER = "A larger share of the training images may do better."


def sentence_of(
    outcome: str,
    mls: Change,
    accuracy: Comparison,
    before: Diagnosis,
    after: Diagnosis,
    refit: Refit,
    frac: float,
    softeners: Sequence[str] | None,
) -> str:
    """The outcome, why it may be so, and the price. mls: of the mean of all sets. frac: the share that was refitted on."""
    which = "AUROC" if len(before.max_logits) == 2 else "mean AUROC"
    why = _suspicion(refit) or _reasons(outcome, mls, softeners, frac)
    price = _accuracy(outcome, before.accuracy, after.accuracy, accuracy)
    return " ".join([_outcome(before.model, outcome, mls, which, cost=fell(accuracy)), *why, price])


def fell(accuracy: Comparison) -> float:
    """How far the accuracy fell, a fraction; 0 where it did not, or chance can explain it by McNemar's test."""
    return max(-accuracy.difference, 0.0) if accuracy.p_value <= APART else 0.0


def worse_than_chance(refit: Refit) -> bool:
    """Whether the head that the refit began with is worse than a guess: the labels may be of another order."""
    return refit.init == "head" and refit.start_loss is not None and refit.start_loss > math.log(refit.head.num_classes)


def _outcome(model: str, outcome: str, mls: Change, which: str, *, cost: float) -> str:
    found = mls.difference
    low, high = (signed(100 * one, 2) for one in (found.low, found.high))
    test = f"95 % interval {low} to {high}, paired DeLong {p_told(found.p_value)}"
    figures = f"from {decimal(100 * mls.auroc_before.value, 2)} to {percent(mls.auroc_after.value, 2)}"
    points = f"{decimal(100 * abs(found.difference), 2)} points ({test})"
    moved = f"goes {figures}, by {signed(100 * found.difference, 2)} points ({test})"
    if not mls.changed and outcome == "no-change":
        return f"The refit leaves {model} as it was: no score of the maximal logit changed."
    if outcome == "no-change":
        return f"The refit makes no difference to {model} that these images show: the maximal logit's {which} {moved}."
    if outcome == "harmed" and found.high < 0:
        return f"The refit harms {model}, keep the head as it was: the maximal logit's {which} falls {figures}, by {points}."
    if outcome == "harmed":
        worth = "more accuracy than a repair may, or than its gain is worth"
        return f"The refit harms {model}, keep the head as it was: it costs {worth}. The maximal logit's {which} {moved}."
    how = f"{' a little' if found.difference < MARGIN else ''}{', at a price' if cost else ''}"
    return f"The refit repairs {model}{how}: the maximal logit's {which} rises {figures}, by {points}."


def _suspicion(refit: Refit) -> list[str]:
    if not worse_than_chance(refit):
        return []
    chance = math.log(refit.head.num_classes)
    figures = f"a loss of {decimal(refit.start_loss or 0, 2)} nats, of a guess {decimal(chance, 2)}"
    return [f"The head as it was does worse than chance on labelled images ({figures}): check the order of the classes first."]


def _reasons(outcome: str, mls: Change, softeners: Sequence[str] | None, frac: float) -> list[str]:
    if softeners == ():
        so = ", so these are not what was repaired" if outcome == "repaired" else ": there was nothing to repair"
        return [f"It was trained on plain labels, with no label smoothing, mixup or cutmix in their place{so}."]
    if outcome == "repaired":
        return []
    more = [LARGER] if frac < 1 and mls.changed else []
    if outcome == "harmed":
        return more
    if open_ := _not_ruled_out(mls.difference):
        return [f"{open_} not ruled out: more test images tell.", *more]
    if softeners is None:
        return ["How it was trained is not known; without label smoothing, mixup or cutmix there is nothing to repair.", *more]
    return [f"It was trained with {', '.join(softeners)}, and yet a refit of the last layer does not help here.", *more]


def _not_ruled_out(found: Comparison) -> str:
    """On both sides of no change what the interval leaves open, where that is worth a point."""
    gain, loss = f"a gain of up to {decimal(100 * found.high, 2)} points", f"a loss of up to {decimal(-100 * found.low, 2)}"
    if found.high >= MARGIN and found.low <= -MARGIN:
        return f"{loss[0].upper()}{loss[1:]} and {gain} are"
    if found.high >= MARGIN:
        return f"{gain[0].upper()}{gain[1:]} is"
    return f"{loss[0].upper()}{loss[1:]} points is" if found.low <= -MARGIN else ""


def _accuracy(outcome: str, before: Estimate, after: Estimate, difference: Comparison) -> str:
    if difference == NO_DIFFERENCE or difference.difference == 0:
        return f"The ID accuracy stays at {percent(after.value, 2)}."
    figures = f"from {decimal(100 * before.value, 2)} to {percent(after.value, 2)}"
    test = f"{signed(100 * difference.difference, 2)} points, McNemar {p_told(difference.p_value)}"
    if difference.p_value > APART:
        return f"The ID accuracy goes {figures} ({test}), which chance can explain."
    if difference.difference > 0:
        return f"The ID accuracy rises {figures} ({test})."
    return f"The ID accuracy falls {figures} ({test}){': that is the price' if outcome == 'repaired' else ''}."


def notes_of(
    before: Diagnosis, after: Diagnosis, changes: Sequence[Change], summary: str, shares: Sequence[Share]
) -> tuple[str, ...]:
    """Plain sentences without a full stop. changes: of all scorers; summary: the mean over most sets."""
    means = [one for one in changes if one.ood_set == summary]
    apart = _shares_apart(shares, next(one.difference for one in means if one.scorer == "mls"))
    if not any(one.changed for one in changes):
        return ("no score of any scorer changed: what holds before holds after", *apart, *_not_compared(before, after))
    tested = [one for one in means if one.changed]
    better, worse = (sum(one.p_holm <= APART and sign * one.difference.difference > 0 for one in tested) for sign in (1, -1))
    how = f"p ≤ {APART:g}; all but that of mls, the one test fixed beforehand, adjusted after Holm"
    counted = f"of {len(tested)} scorers whose scores changed {better} separate better and {worse} worse ({how})"
    notes = [*([counted] if len(tested) > 1 else []), *apart]
    alone = {row.scorer for row in after.rows if reads_features_alone(row)}
    still = [one.scorer for one in means if not one.changed]
    if those := [label for label in still if label in alone]:
        notes.append(f"{', '.join(those)}: read features alone, which no refit of the last layer changes")
    if others := [label for label in still if label not in alone]:
        notes.append(f"{', '.join(others)}: the same scores before and after")
    notes.append(_best(means, best(before.rows)))
    notes.append("the intervals are of these two heads on other test images; a refit on other training images is another head")
    return (*notes, *_not_compared(before, after))


def _best(means: Sequence[Change], top: Result | None) -> str:
    """top: the best before, as the diagnosis has it: one in doubt is not."""
    first, then = next((one for one in means if top and one.scorer == top.scorer), means[0]), means[0]
    now = percent(then.auroc_after.value, 2)
    if first is then and not then.changed:
        return f"the best scorer is and stays {then.scorer} ({now}), which the refit does not change"
    return f"the best scorer: {first.scorer} before ({percent(first.auroc_before.value, 2)}), {then.scorer} after ({now})"


def _shares_apart(shares: Sequence[Share], last: Comparison) -> list[str]:
    """The smaller shares that surely do what the last one does not."""
    known = [(one.frac, one.difference) for one in shares[:-1] if one.difference is not None]
    worse = [frac for frac, found in known if found.high < 0 <= last.high]
    better = [frac for frac, found in known if found.low > 0 >= last.low]
    ends = ((worse, "worse"), (better, "better"))
    return [
        f"at {_listed(own)} of the training images the maximal logit separates {how} than untouched" for own, how in ends if own
    ]


def _listed(fracs: Sequence[float]) -> str:
    first = ", ".join(f"{100 * frac:g}" for frac in fracs[:-1])
    return f"{first} and {100 * fracs[-1]:g} %" if first else f"{100 * fracs[-1]:g} %"


def _not_compared(before: Diagnosis, after: Diagnosis) -> list[str]:
    scored = {**by_label(before.scored), **by_label(after.scored)}
    return [f"{label} is not compared: {one.reason}" for label, one in scored.items() if one.reason is not None]


def reads_features_alone(row: Result) -> bool:
    """Whether no refit of the last layer can change this scorer's scores."""
    return SCORERS[row.spec.partition(":")[0]].uses == "features"
