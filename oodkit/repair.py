"""A classifier before and after its last layer was refitted: what changed, scorer by scorer, and whether it helped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from oodkit.accuracies import compare_accuracies
from oodkit.delong import NO_DIFFERENCE, Comparison, compare_paired, weigh
from oodkit.diagnosis import Diagnosis
from oodkit.errors import UsageError
from oodkit.evaluation import Result, best, best_first, mean_weights, most_general_mean, rows_planned
from oodkit.holm import holm
from oodkit.lead import MARGIN
from oodkit.metrics import Estimate
from oodkit.refitting import Refit
from oodkit.rivals import APART
from oodkit.scorers import SCORERS
from oodkit.scoring import Scored, by_label
from oodkit.wording import decimal, p_value, percent, signed

Outcome = Literal["repaired", "no-change", "harmed"]


@dataclass(frozen=True)
class Share:
    """The figures of the head that was refitted on a share of the training images.

    frac: of the training images, 0 for the head as it was. images: how many. aurocs: the summary mean of ``shown_in_shares``, by
    scorer. l2, start_loss, held_out_loss: of the refit. seconds: that it took by itself.
    """

    frac: float
    images: int
    accuracy: Estimate
    aurocs: Mapping[str, Estimate]
    l2: float | None = None
    start_loss: float | None = None
    held_out_loss: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Change:
    """What became of one scorer on one OOD set or, as in ``Result``, its mean over sets.

    difference: of the AUROC, after minus before, with the paired DeLong test. p_holm: its p-value, adjusted for all scorers whose
    scores changed on this set or mean. changed: whether any score did; where none did the difference is 0 and p 1.
    """

    scorer: str
    ood_set: str
    group: str
    auroc_before: Estimate
    auroc_after: Estimate
    difference: Comparison
    p_holm: float
    fpr95_before: Estimate
    fpr95_after: Estimate
    changed: bool


@dataclass(frozen=True, eq=False)
class Repair:
    """A repair and what came of it.

    before, after: the names of the two models. seconds: that the refit took. shares: ascending, that of 0 first; the last is of
    ``after``. accuracy: of ID images, after minus before, with McNemar's test. changes: of every scorer that has scores in both,
    the best after the repair first. outcome: "repaired" where the 95 % interval of the difference of the maximal logit's most
    general mean AUROC lies above 0, "harmed" where it lies below, else "no-change". notes: what else is to know.
    """

    before: str
    after: str
    refit: Refit
    seconds: float
    shares: tuple[Share, ...]
    accuracy: Comparison
    changes: tuple[Change, ...]
    outcome: Outcome
    sentence: str
    notes: tuple[str, ...]


def compare_repair(
    before: Diagnosis,
    after: Diagnosis,
    refit: Refit,
    shares: Sequence[Share],
    *,
    seconds: float,
    softeners: Sequence[str] | None = None,
) -> Repair:
    """Hold a refitted model against what it was, image by image.

    before, after: their diagnoses, on the same images in the same order. shares: see ``Repair``. softeners: what the training
    recipe is known to do to the labels, see ``diagnose``. Nothing is scored or placed again.

    Raises UsageError where the two are of other images, the maximal logit has no scores, or the shares do not ascend from 0.
    """
    _require_same_images(before, after)
    _require_ascending(shares)
    changes = _changes(before, after)
    summary = most_general_mean(after.rows)
    mls = next((one for one in changes if (one.scorer, one.ood_set) == ("mls", summary)), None)
    if mls is None:
        raise UsageError("a repair is judged by the maximal logit, which has no scores here; diagnose both with the scorer mls")
    outcome: Outcome = "repaired" if mls.difference.low > 0 else "harmed" if mls.difference.high < 0 else "no-change"
    accuracy = compare_accuracies(after.correct, before.correct) if any(one.changed for one in changes) else NO_DIFFERENCE
    sentence = " ".join(
        [
            _outcome_sentence(before.model, outcome, mls, "AUROC" if len(before.max_logits) == 2 else "mean AUROC"),
            *_reason_sentences(outcome, mls, softeners, shares[-1].frac),
            _accuracy_sentence(before.accuracy, after.accuracy, accuracy),
        ]
    )
    notes = _notes(before, after, changes, summary)
    names = before.model, after.model
    return Repair(*names, refit, seconds, tuple(shares), accuracy, changes, outcome, sentence, notes)


def shown_in_shares(after: Diagnosis) -> dict[str, str]:
    """By label the specs of the scorers whose means a ``Share`` holds: mls and, where it reads logits, the best of them all."""
    top = best(after.rows)
    specs = {"mls": "mls"}
    return specs if top is None or _reads_features_alone(top) else specs | {top.scorer: top.spec}


def share_of(
    frac: float,
    images: int,
    accuracy: Estimate,
    rows: Sequence[Result],
    shown: Mapping[str, str],
    refit: Refit | None = None,
    seconds: float | None = None,
) -> Share:
    """A ``Share`` of the rows of a diagnosis, or of ``evaluate``. shown: ``shown_in_shares``. refit: None for the old head."""
    summary = most_general_mean(rows)
    means = {row.spec: row.auroc for row in rows if row.ood_set == summary}
    aurocs = {label: found for label, spec in shown.items() if (found := means.get(spec))}
    if refit is None:
        return Share(frac, images, accuracy, aurocs)
    return Share(frac, images, accuracy, aurocs, refit.l2, refit.start_loss, refit.held_out_loss, seconds)


def _require_same_images(before: Diagnosis, after: Diagnosis) -> None:
    groups = [_groups(one) for one in (before, after)]
    sizes = [{row.image_set: row.n for row in one.max_logits} for one in (before, after)]
    if groups[0] != groups[1] or sizes[0] != sizes[1]:
        told = (", ".join(f"{name} {count}" for name, count in one.items()) for one in sizes)
        raise UsageError(f"before and after must be of the same images, got {' and '.join(told)}; diagnose both on one extraction")


def _require_ascending(shares: Sequence[Share]) -> None:
    fracs = [one.frac for one in shares]
    if fracs[:1] != [0] or any(later <= earlier for earlier, later in pairwise(fracs)):
        raise UsageError(f"shares ascend from 0, the head as it was, got {fracs}")


def _groups(diagnosis: Diagnosis) -> dict[str, str]:
    return {row.image_set: row.group for row in diagnosis.max_logits[1:]}


def _changes(before: Diagnosis, after: Diagnosis) -> tuple[Change, ...]:
    groups, old, new = _groups(after), by_label(before.scored), by_label(after.scored)
    plan = rows_planned(list(groups), groups)
    labels = [row.scorer for row in best_first(after.rows) if row.scorer in before.placed]
    moved = {label: _sets_that_changed(old[label], new[label]) for label in labels}
    found = {}
    for name, group, members in plan:
        weights = mean_weights(members, groups)
        tests = {}
        for label in labels:
            if moved[label].intersection(members):
                placed = [weigh([one.placed[label][member] for member in members], weights) for one in (after, before)]
                tests[label] = compare_paired(*placed)
        adjusted = dict(zip(tests, holm([one.p_value for one in tests.values()]), strict=True))
        for label in labels:
            found[label, name] = _change(before, after, (label, name, group), tests.get(label), adjusted.get(label, 1.0))
    return tuple(found[label, name] for label in labels for name, _, _ in plan)


def _sets_that_changed(before: Scored, after: Scored) -> set[str]:
    """The OOD sets on which any score, of an ID image or of theirs, is not the same bits."""
    inside = np.array_equal(before.id_scores, after.id_scores)
    return {name for name, scores in after.ood_scores.items() if not (inside and np.array_equal(before.ood_scores[name], scores))}


def _change(before: Diagnosis, after: Diagnosis, key: tuple[str, str, str], test: Comparison | None, p_holm: float) -> Change:
    """test: None where no score changed."""
    old, new = (one.row(*key[:2]) for one in (before, after))
    assert old is not None
    assert old.auroc is not None
    assert old.fpr95_ood is not None
    assert new is not None
    assert new.auroc is not None
    assert new.fpr95_ood is not None
    fprs = old.fpr95_ood, new.fpr95_ood
    return Change(*key, old.auroc, new.auroc, test or NO_DIFFERENCE, p_holm, *fprs, changed=test is not None)


def _outcome_sentence(model: str, outcome: Outcome, mls: Change, which: str) -> str:
    found = mls.difference
    low, high = (signed(100 * one, 2) for one in (found.low, found.high))
    p = p_value(found.p_value)
    test = f"95 % interval {low} to {high}, paired DeLong p {p if p.startswith('<') else f'= {p}'}"
    figures = f"from {decimal(100 * mls.auroc_before.value, 2)} to {percent(mls.auroc_after.value, 2)}"
    points = f"{decimal(100 * abs(found.difference), 2)} points ({test})"
    if not mls.changed:
        return f"The refit leaves {model} as it was: no score of the maximal logit changed."
    if outcome == "no-change":
        moved = f"goes {figures}, by {signed(100 * found.difference, 2)} points ({test})"
        return f"The refit makes no difference to {model} that these images show: the maximal logit's {which} {moved}."
    if outcome == "harmed":
        return f"The refit harms {model}, keep the head as it was: the maximal logit's {which} falls {figures}, by {points}."
    a_little = " a little" if found.difference < MARGIN else ""
    return f"The refit repairs {model}{a_little}: the maximal logit's {which} rises {figures}, by {points}."


def _reason_sentences(outcome: Outcome, mls: Change, softeners: Sequence[str] | None, frac: float) -> list[str]:
    if softeners == ():
        so = ", so they are not what was repaired" if outcome == "repaired" else ": there was nothing to repair"
        return [f"It was trained without label smoothing, mixup or cutmix{so}."]
    if outcome == "repaired":
        return []
    more = ["A larger share of the training images may do better."] if frac < 1 and mls.changed else []
    if outcome == "harmed":
        return more
    if mls.difference.high >= MARGIN:
        return [f"A gain of up to {decimal(100 * mls.difference.high, 2)} points is not ruled out: more test images tell.", *more]
    if softeners is None:
        return ["How it was trained is not known; without label smoothing, mixup or cutmix there is nothing to repair.", *more]
    return [f"It was trained with {', '.join(softeners)}, and yet a refit of the last layer does not help here.", *more]


def _accuracy_sentence(before: Estimate, after: Estimate, difference: Comparison) -> str:
    if difference == NO_DIFFERENCE:
        return f"The ID accuracy stays at {percent(after.value, 2)}."
    points = [signed(100 * one, 2) for one in (difference.difference, difference.low, difference.high)]
    figures = f"from {decimal(100 * before.value, 2)} to {percent(after.value, 2)}"
    interval = f"{points[0]} points, 95 % interval {points[1]} to {points[2]}"
    if difference.high < 0:
        return f"The ID accuracy falls {figures}, beyond its interval ({interval}): that is the price."
    if difference.low > 0:
        return f"The ID accuracy rises {figures}, beyond its interval ({interval})."
    if difference.difference == 0:
        return f"The ID accuracy stays at {percent(after.value, 2)} ({interval})."
    return f"The ID accuracy goes {figures}, within its interval ({interval})."


def _notes(before: Diagnosis, after: Diagnosis, changes: Sequence[Change], summary: str) -> tuple[str, ...]:
    means = [one for one in changes if one.ood_set == summary]
    if not any(one.changed for one in means):
        return ("no score of any scorer changed", *_not_compared(before, after))
    tested = [one for one in means if one.changed]
    better, worse = (sum(one.p_holm <= APART and sign * one.difference.difference > 0 for one in tested) for sign in (1, -1))
    notes = [f"of {len(tested)} scorers whose scores changed {better} separate better and {worse} worse (p ≤ {APART:g}, Holm)"]
    alone = {row.scorer for row in after.rows if _reads_features_alone(row)}
    still = [one.scorer for one in means if not one.changed]
    if those := [label for label in still if label in alone]:
        notes.append(f"{', '.join(those)}: read features alone, which no refit of the last layer changes")
    if others := [label for label in still if label not in alone]:
        notes.append(f"{', '.join(others)}: the same scores before and after")
    first, then = max(means, key=lambda one: one.auroc_before.value), means[0]
    now = percent(then.auroc_after.value, 2)
    if first is then and not then.changed:
        notes.append(f"the best scorer is and stays {then.scorer} ({now}), which the refit does not change")
    else:
        notes.append(
            f"the best scorer: {first.scorer} before ({percent(first.auroc_before.value, 2)}), {then.scorer} after ({now})"
        )
    notes.append("the intervals are of these two heads on other test images; a refit on other training images is another head")
    return (*notes, *_not_compared(before, after))


def _not_compared(before: Diagnosis, after: Diagnosis) -> list[str]:
    scored = {**by_label(before.scored), **by_label(after.scored)}
    return [f"{label} is not compared: {one.reason}" for label, one in scored.items() if one.reason is not None]


def _reads_features_alone(row: Result) -> bool:
    return SCORERS[row.spec.partition(":")[0]].uses == "features"
