"""Diagnoses of scores whose order is known, before and after a repair."""

import numpy as np
import torch

from oodkit.accuracies import marks_of
from oodkit.changes import Share, gain, share_of
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.evaluation import evaluate, results_and_placements
from oodkit.head import Head
from oodkit.lead import Lead
from oodkit.max_logits import logit_rows
from oodkit.metrics import Estimate, accuracy
from oodkit.outputs import Outputs
from oodkit.refitting import Refit, refit
from oodkit.repair import Repair, compare_repair, shown_in_shares
from oodkit.scoring import Scored, by_label
from oodkit.verdict import Verdict

HEAD = Head(torch.eye(2), torch.zeros(2))
REFIT = Refit(HEAD, "lbfgs", "head", 0.1, 80, 20, 0.5, 0.25, (), 7, 1e-4, 1e-3, True, ())
HOW = "p ≤ 0.05; all but that of mls, the one test fixed beforehand, adjusted after Holm"
SMOOTHED = ("label smoothing 0.1", "mixup 0.2")
GROUPS = {"a": "near", "b": "far", "c": "far"}
SIZES = {"id": 60, "a": 40, "b": 25, "c": 50}


def shares_up_to(frac=1.0):
    whole = Estimate(0.9, 0.8, 1.0)
    return (Share(0, 0, whole, {"mls": whole}), Share(frac, 100, whole, {"mls": whole}, 0.1, 0.5, 0.25, 1.5))


def normal_scores(seed, distance):
    """By set: scores of spread 1, those of ID images ``distance`` higher."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(distance if name == "id" else 0, 1, size) for name, size in SIZES.items()}


def scored_as(name, scores, reason=None):
    ood = {one: scores[one] for one in GROUPS}
    counts = {one: len(own) for one, own in ood.items()}
    known = (name, name, {}, None, 0)
    if reason:
        return Scored(*known, np.empty(0), {}, len(scores["id"]), counts, reason=reason)
    return Scored(*known, scores["id"], ood, len(scores["id"]), counts)


def diagnosed(model, scorers, right=54, reasons=()):
    """scorers: by name scores by set. right: so many of the 60 ID images, the first, are classified correctly."""
    scored = [scored_as(name, scores, "no\nluck" if name in reasons else None) for name, scores in scorers.items()]
    rows, _, placed = results_and_placements(scored, GROUPS, model=model, id_set="id")
    labels, predictions = np.zeros(60), np.where(np.arange(60) < right, 0, 1)
    return Diagnosis(
        model,
        "id",
        accuracy(predictions, labels),
        rows,
        logit_rows(by_label(scored)["mls"], GROUPS) if "mls" in scorers else logit_rows(scored[0], GROUPS),
        [],
        None,
        Lead(),
        Verdict("undetermined", "", (), ()),
        marks_of(predictions, labels),
        scored,
        placed=placed,
    )


def repaired_by(before, after, *, frac=1.0, **facts) -> Repair:
    return compare_repair(before, after, REFIT, shares_up_to(frac), seconds=2.5, **facts)


def mls_of(before, after, **facts) -> Repair:
    """before, after: scores of the maximal logit by set."""
    return repaired_by(diagnosed("net", {"mls": before}), diagnosed("net + AugDelete", {"mls": after}), **facts)


BAD, GOOD = normal_scores(0, 0.5), normal_scores(1, 3.0)
SLIGHTLY = {name: scores + (0.02 if name == "id" else 0) for name, scores in BAD.items()}


def softened(rows, seed, shift):
    """Two classes by the sign of the first of 6 features, ``shift`` from 0; the last feature is large where ``shift`` is small."""
    features = torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(rows) % 2
    features[:, 0] += shift * (1 - 2 * labels)
    features[:, 5] += 4 - 1.5 * shift
    weight = torch.zeros(2, 6)
    weight[0, 0], weight[1, 0], weight[:, 5] = 1, -1, 1.0
    return Outputs(features, labels, head=Head(weight, torch.zeros(2)))


def really_repaired(ood):
    """A head that adds to both logits what is large on OOD images, as cross-entropy can't see; refitted from zeros it does not."""
    test, train, groups = softened(400, 0, 3), softened(600, 1, 3), dict.fromkeys(ood, "far")
    made = refit(train, init="zeros")
    scorers = ["mls", "ebo", "knn:k=5"]
    before = diagnose("net", test, ood, fit=train, scorers=scorers, groups=groups, softeners=SMOOTHED)
    own = {name: outputs.with_head(made.head) for name, outputs in ood.items()}
    fit = train.with_head(made.head)
    after = diagnose(
        "after", test.with_head(made.head), own, fit=fit, scorers=scorers, groups=groups, baseline=before, refitted=True
    )
    shown = shown_in_shares(after)
    rows = evaluate(list(shown.values()), test.with_head(made.head), own, fit=fit, groups=groups)
    first = share_of(0, 0, before.accuracy, before.rows, shown)
    shares = [first, share_of(0.5, 600, after.accuracy, rows, shown, made, 0.25, gain(before, after.placed))]
    return before, after, compare_repair(before, after, made, shares, seconds=0.25, softeners=SMOOTHED)
