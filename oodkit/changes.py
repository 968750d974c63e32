"""What became of each scorer by a refit of the last layer, tested image by image, and of the shares it was refitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oodkit.delong import NO_DIFFERENCE, Comparison, Placements, compare_paired, weigh
from oodkit.diagnosis import Diagnosis, groups_of
from oodkit.evaluation import Result, best_first, mean_weights, most_general_mean, rows_planned
from oodkit.holm import holm
from oodkit.metrics import Estimate
from oodkit.refitting import Refit
from oodkit.scoring import Scored, by_label

PRIMARY = "mls"  # the one scorer whose test, on the mean of all sets, is fixed beforehand: the outcome rests on it


@dataclass(frozen=True)
class Share:
    """The figures of the head that was refitted on a share of the training images.

    frac: of the training images, 0 for the head as it was. images: how many. aurocs: the summary mean of ``shown_in_shares``, by
    scorer. l2, start_loss, held_out_loss: of the refit. seconds: that it took by itself. difference: of the maximal logit's summary
    mean, that of this head minus that of the head as it was, see ``gain``; None for the latter.
    """

    frac: float
    images: int
    accuracy: Estimate
    aurocs: Mapping[str, Estimate]
    l2: float | None = None
    start_loss: float | None = None
    held_out_loss: float | None = None
    seconds: float | None = None
    difference: Comparison | None = None


@dataclass(frozen=True)
class Change:
    """What became of one scorer on one OOD set or, as in ``Result``, its mean over sets.

    difference: of the AUROC, after minus before, with the paired DeLong test. p_holm: its p-value, adjusted for all scorers whose
    scores changed on this set or mean; but over all sets that of the maximal logit stays as it is, and is not counted, since it is
    the one test that is fixed beforehand. changed: whether any score did; where none did the difference is 0 and p 1.
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


def share_of(
    frac: float,
    images: int,
    accuracy: Estimate,
    rows: Sequence[Result],
    shown: Mapping[str, str],
    refit: Refit | None = None,
    seconds: float | None = None,
    difference: Comparison | None = None,
) -> Share:
    """A ``Share`` of the rows of a diagnosis, or of ``results``. shown: ``shown_in_shares``. refit: None for the old head."""
    summary = most_general_mean(rows)
    means = {row.spec: row.auroc for row in rows if row.ood_set == summary}
    aurocs = {label: found for label, spec in shown.items() if (found := means.get(spec))}
    if refit is None:
        return Share(frac, images, accuracy, aurocs)
    return Share(frac, images, accuracy, aurocs, refit.l2, refit.start_loss, refit.held_out_loss, seconds, difference)


def gain(before: Diagnosis, placed: Mapping[str, Mapping[str, Placements]]) -> Comparison:
    """The maximal logit's summary mean of another head minus that of ``before``, paired. placed: see ``Diagnosis``."""
    groups = groups_of(before)
    weights = mean_weights(list(groups), groups)
    return compare_paired(*(weigh([own[PRIMARY][name] for name in groups], weights) for own in (placed, before.placed)))


def changes_between(before: Diagnosis, after: Diagnosis) -> tuple[Change, ...]:
    """Of every scorer that has scores in both, the best after the refit first; sets and means in the order of the rows."""
    groups, old, new = groups_of(after), by_label(before.scored), by_label(after.scored)
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
        adjusted = _adjusted(tests, over_all=len(members) == len(groups))
        for label in labels:
            found[label, name] = _change(before, after, (label, name, group), tests.get(label), adjusted.get(label, 1.0))
    return tuple(found[label, name] for label in labels for name, _, _ in plan)


def _adjusted(tests: Mapping[str, Comparison], *, over_all: bool) -> dict[str, float]:
    """p-values after Holm. over_all: whether this is the mean of all sets, where the maximal logit's test is of no family."""
    p_values = {label: one.p_value for label, one in tests.items()}
    family = [label for label in p_values if not (over_all and label == PRIMARY)]
    return p_values | dict(zip(family, holm([p_values[label] for label in family]), strict=True))


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
