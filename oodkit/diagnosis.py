"""A classifier's diagnosis: its maximal logit, the shift against a baseline, every scorer, and the verdict on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from oodkit.accuracies import Marks, marks_of
from oodkit.delong import Placements, compare_aurocs
from oodkit.errors import InputError
from oodkit.evaluation import Result, mean_weights, results_and_placements
from oodkit.lead import Against, Lead, knn_lead, lead_growth
from oodkit.max_logits import LogitRow, ShiftRow, logit_rows, shift_rows
from oodkit.metrics import Estimate, accuracy, mean_estimate
from oodkit.outputs import Outputs
from oodkit.rivals import Rival, rivals_of_the_best
from oodkit.scorers import Scorer, one_pass_scorers
from oodkit.scoring import Scored, score_all
from oodkit.tuning import Tuning, noted
from oodkit.verdict import Verdict, give_verdict


@dataclass(frozen=True)
class Diagnosis:
    """Everything ``diagnose`` found out about one model.

    accuracy: a fraction with its interval. lead: mean AUROC of KNN minus that of the maximal logit. correct: (N,) which ID images
    were classified correctly, see ``marks_of``. tuning: how the scorers' settings were chosen, where they were searched. placed: by
    scorer and OOD set, what tests against another diagnosis are made of.
    """

    model: str
    id_set: str
    accuracy: Estimate
    rows: list[Result]
    max_logits: list[LogitRow]
    shifts: list[ShiftRow]
    baseline: str | None
    lead: Lead
    verdict: Verdict
    correct: Marks = field(repr=False)
    scored: list[Scored] = field(repr=False)
    tuning: list[Tuning] = field(default_factory=list, repr=False)
    rivals: list[Rival] = field(default_factory=list, repr=False)
    placed: Mapping[str, Mapping[str, Placements]] = field(default_factory=dict, repr=False)

    def row(self, scorer: str, ood_set: str) -> Result | None:
        """The result of one scorer on one OOD set, or on ``"near mean"``, ``"far mean"`` or ``"mean"``."""
        return next((row for row in self.rows if (row.scorer, row.ood_set) == (scorer, ood_set)), None)


def diagnose(  # noqa: PLR0913  # a parameter for each thing that is known of a model or asked of it
    model: str,
    id_test: Outputs,
    ood: Mapping[str, Outputs],
    *,
    fit: Outputs | None = None,
    val: Outputs | None = None,
    groups: Mapping[str, str] | None = None,
    scorers: Sequence[str | Scorer] = (),
    tuning: Sequence[Tuning] = (),
    preset: str = "openood",
    softeners: Sequence[str] | None = None,
    baseline: "Diagnosis | None" = None,
    refitted: bool = False,
    same_features: Sequence[Scored] = (),
    id_set: str = "",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Diagnose a model from its outputs alone.

    ood: outputs by set name; groups: "near" or "far" for each, "far" where not given. fit, val: ID training and validation
    outputs for the scorers that learn. scorers: names or specs, by default those of ``tuning`` or else all that need no probe;
    mls and, where ``fit`` is given, knn are added, since the verdict rests on them; plain knn too where those asked for give no
    scores. tuning: what ``tune`` found, to be told with the results. softeners: what the training recipe is known to do to the
    labels ("label smoothing 0.1"), () for nothing, None for unknown. baseline: the diagnosis of the sibling model on the same
    image sets. refitted: whether the last layer was refitted by plain cross-entropy, so that the recipe no longer tells of it and
    ``softeners`` does not count. same_features: see ``score_all``. progress: called with a line for each step.

    Raises InputError where the maximal logit gives no scores, as of logits that are NaN: all that is said rests on it.
    """
    groups = dict.fromkeys(ood, "far") | dict(groups or {})
    settings = partial(score_all, preset=preset, seed=seed, same_features=same_features, progress=progress)
    score = partial(settings, id_test=id_test, ood=ood, fit=fit, val=val)
    scored = score(_asked(scorers, tuning, fit_given=fit is not None))
    mls = _of(scored, "mls")
    if mls.reason is not None:
        raise InputError(f"{model} can't be diagnosed: {mls.reason}")
    knn = [one for one in scored if one.name == "knn"]
    if fit is not None and all(one.reason for one in knn) and all(one.spec != "knn" for one in knn):
        scored += score(["knn"])
    scored = noted(scored, tuning)
    rows, means, placed = results_and_placements(scored, groups, model=model, id_set=id_set)
    rivals = rivals_of_the_best(rows, means)
    predictions, labels = id_test.predictions(), id_test.labels.cpu()
    estimate, correct = accuracy(predictions, labels), marks_of(predictions, labels)
    lead = knn_lead(scored, groups, id_test.num_classes, fit_given=fit is not None)
    shifts = [] if baseline is None else shift_rows(mls, _of(baseline.scored, "mls"), groups)
    against = None if baseline is None else _against(baseline, mls, lead, shifts, groups)
    facts = (model, estimate, id_test.num_classes, lead, rows)
    verdict = give_verdict(*facts, rivals=rivals, softeners=softeners, against=against, refitted=refitted)
    return Diagnosis(
        model=model,
        id_set=id_set,
        accuracy=estimate,
        rows=rows,
        max_logits=logit_rows(mls, groups),
        shifts=shifts,
        baseline=None if baseline is None else baseline.model,
        lead=lead,
        verdict=verdict,
        correct=correct,
        scored=scored,
        tuning=list(tuning),
        rivals=rivals,
        placed=placed,
    )


def groups_of(diagnosis: Diagnosis) -> dict[str, str]:
    """By OOD set, near or far."""
    return {row.image_set: row.group for row in diagnosis.max_logits[1:]}


def _asked(scorers: Sequence[str | Scorer], tuning: Sequence[Tuning], *, fit_given: bool) -> list[str | Scorer]:
    """The scorers that were asked for, and those that the verdict rests on."""
    asked = list(scorers) or list(dict.fromkeys(one.spec for one in tuning)) or one_pass_scorers()
    named = {one.name if isinstance(one, Scorer) else one.partition(":")[0] for one in asked}
    return [*asked, *(name for name in ("mls", "knn") if name not in named and (name == "mls" or fit_given))]


def _of(scored: Sequence[Scored], name: str) -> Scored:
    return next(one for one in scored if one.name == name)


def _against(baseline: Diagnosis, mls: Scored, lead: Lead, shifts: Sequence[ShiftRow], groups: Mapping[str, str]) -> Against:
    sets = [shift.ood_set for shift in shifts]
    weights, before = mean_weights(sets, groups), _of(baseline.scored, "mls")
    ratios = [shift.ratio for shift in shifts if shift.ratio is not None]
    ratio = mean_estimate(ratios, weights) if len(ratios) == len(shifts) else None
    same_images = (before.n_id, before.n_ood) == (mls.n_id, mls.n_ood)
    ood = [before.ood_scores[name] for name in sets], [mls.ood_scores[name] for name in sets]
    loss = compare_aurocs(before.id_scores, ood[0], mls.id_scores, ood[1], weights) if same_images else None
    grown = lead_growth(lead, baseline.lead) if before.n_ood.keys() == mls.n_ood.keys() else None
    return Against(baseline.model, ratio, loss, baseline.accuracy, baseline.lead, grown)
