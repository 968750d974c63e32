"""A classifier before and after its last layer was refitted: what changed, scorer by scorer, and whether it helped."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from oodkit.accuracies import compare_accuracies
from oodkit.changes import PRIMARY, Change, Share, changes_between
from oodkit.delong import NO_DIFFERENCE, Comparison
from oodkit.diagnosis import Diagnosis, groups_of
from oodkit.errors import UsageError
from oodkit.evaluation import best, most_general_mean
from oodkit.lead import MARGIN
from oodkit.refitting import Refit
from oodkit.repair_words import fell, notes_of, reads_features_alone, sentence_of

Outcome = Literal["repaired", "no-change", "harmed"]
DEAR = 0.02  # of accuracy: the paper's own repair costs 0.6 points for 10 of AUROC (Xiong et al. 2025, Table 3); none is worth this


@dataclass(frozen=True, eq=False)
class Repair:
    """A repair and what came of it.

    before, after: the names of the two models. seconds: that the refit took. shares: ascending, that of 0 first; the last is of
    ``after``. accuracy: of ID images, after minus before, with McNemar's test. changes: of every scorer that has scores in both,
    the best after the repair first. outcome: see ``outcome_of``. notes: what else is to know.
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

    @property
    def changed(self) -> bool:
        """Whether any score of any scorer did."""
        return any(one.changed for one in self.changes)


def outcome_of(auroc: Comparison, accuracy: Comparison) -> Outcome:
    """auroc: of the maximal logit's most general mean AUROC, after minus before; accuracy: of the ID images likewise.

    "harmed" where the 95 % interval of the AUROC lies below 0, or where the accuracy falls (McNemar p ≤ 0.05) by more than 2
    points; or by more than 1, and the AUROC does not rise by 1 point beyond its interval. Else "repaired" where that interval lies
    above 0, and otherwise "no-change".
    """
    gained, cost = auroc.low > 0, fell(accuracy)
    worth_it = gained and auroc.difference >= MARGIN
    if auroc.high < 0 or cost > DEAR or (cost > MARGIN and not worth_it):
        return "harmed"
    return "repaired" if gained else "no-change"


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
    changes = changes_between(before, after)
    summary = most_general_mean(after.rows)
    mls = next((one for one in changes if (one.scorer, one.ood_set) == (PRIMARY, summary)), None)
    if mls is None:
        raise UsageError("a repair is judged by the maximal logit, which has no scores here; diagnose both with the scorer mls")
    accuracy = compare_accuracies(after.correct, before.correct) if any(one.changed for one in changes) else NO_DIFFERENCE
    outcome = outcome_of(mls.difference, accuracy)
    sentence = sentence_of(outcome, mls, accuracy, before, after, refit, shares[-1].frac, softeners)
    notes = notes_of(before, after, changes, summary, shares)
    names = before.model, after.model
    return Repair(*names, refit, seconds, tuple(shares), accuracy, changes, outcome, sentence, notes)


def shown_in_shares(after: Diagnosis) -> dict[str, str]:
    """By label the specs of the scorers whose means a ``Share`` holds: mls and, where it reads logits, the best of them all."""
    top = best(after.rows)
    specs = {PRIMARY: PRIMARY}
    return specs if top is None or reads_features_alone(top) else specs | {top.scorer: top.spec}


def _require_same_images(before: Diagnosis, after: Diagnosis) -> None:
    groups = [groups_of(one) for one in (before, after)]
    sizes = [{row.image_set: row.n for row in one.max_logits} for one in (before, after)]
    if groups[0] != groups[1] or sizes[0] != sizes[1]:
        told = (", ".join(f"{name} {count}" for name, count in one.items()) for one in sizes)
        raise UsageError(f"before and after must be of the same images, got {' and '.join(told)}; diagnose both on one extraction")


def _require_ascending(shares: Sequence[Share]) -> None:
    fracs = [one.frac for one in shares]
    if fracs[:1] != [0] or any(later <= earlier for earlier, later in pairwise(fracs)):
        raise UsageError(f"shares ascend from 0, the head as it was, got {fracs}")
