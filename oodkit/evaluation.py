"""Scorers against OOD sets: fit once, score every set once, one row of figures for each set and each mean over sets."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.delong import mean_auroc
from oodkit.errors import NotApplicableError, UsageError
from oodkit.metrics import Estimate, Vector, aupr_in, aupr_out, fpr95_id, fpr95_ood, mean_estimate
from oodkit.outputs import Outputs
from oodkit.scorers import parse_scorer, read_spec, spec_of
from oodkit.scorers.base import FitsOn, Scorer
from oodkit.stats import stratified_rows

HELD_OUT_SHARE = 0.1
GROUPS = ("near", "far")
MEANS = (*(f"{group} mean" for group in GROUPS), "mean")


@dataclass(frozen=True)
class Result:
    """One row: a scorer on an OOD set or, named ``"near mean"``, ``"far mean"`` or ``"mean"``, its mean over sets.

    scorer: its name, with its settings where several of one name were asked for. spec: as it is asked for, such as ``knn:k=10``.
    settings: as they took effect. fits_on, n_fit: what the scorer learnt from, and how many images. group: ``"near"`` or ``"far"``,
    for a mean its own name. Figures are fractions in [0, 1] with their 95 % intervals; the limits of a mean FPR are the means of
    its sets' limits, which is conservative. note: what else is to know. reason: why there are no figures; then they are None.
    """

    model: str
    head: str
    scorer: str
    spec: str
    settings: Mapping[str, Any]
    fits_on: FitsOn
    n_fit: int
    id_set: str
    ood_set: str
    group: str
    n_id: int
    n_ood: int
    auroc: Estimate | None = None
    fpr95_ood: Estimate | None = None
    fpr95_id: Estimate | None = None
    aupr_in: float | None = None
    aupr_out: float | None = None
    note: str | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """A scorer's scores, (N,) float64: of the ID test images and by OOD set, images in the order of their outputs.

    name, settings, fits_on, fitted_on: of the scorer, as it was when it scored; spec: as it was asked for. What it learnt is not
    kept, since the bank of one scorer can be 10 GB. With a ``reason`` there are no scores. n_id, n_ood: numbers of images, there
    in any case.
    """

    name: str
    spec: str
    settings: Mapping[str, Any]
    fits_on: FitsOn
    fitted_on: int
    id_scores: Vector
    ood_scores: Mapping[str, Vector]
    n_id: int
    n_ood: Mapping[str, int]
    note: str | None = None
    reason: str | None = None


def evaluate(
    scorers: Sequence[str | Scorer],
    id_test: Outputs,
    ood: Mapping[str, Outputs],
    *,
    fit: Outputs | None = None,
    val: Outputs | None = None,
    groups: Mapping[str, str] | None = None,
    preset: str = "openood",
    model: str = "",
    head: str = "",
    id_set: str = "",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> list[Result]:
    """``score_all``, then ``results``: see there."""
    scored = score_all(scorers, id_test, ood, fit=fit, val=val, preset=preset, seed=seed, progress=progress)
    return results(scored, groups, model=model, head=head, id_set=id_set)


def score_all(
    scorers: Sequence[str | Scorer],
    id_test: Outputs,
    ood: Mapping[str, Outputs],
    *,
    fit: Outputs | None = None,
    val: Outputs | None = None,
    preset: str = "openood",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> list[Scored]:
    """Fit each scorer once and score the ID test images and every OOD set once.

    scorers: names, specs like ``knn:k=20``, or scorers; those are left as they are, and one already fitted is used as it is.
    fit, val: ID training and validation outputs. Without ``val`` the scorers that learn from validation images get a stratified
    tenth of ``fit``, drawn by ``seed``, and a note says so. progress: called with a line for each step.

    A scorer that does not apply, has nothing to learn from or gives NaN gets a ``reason`` and stops nothing. Raises UsageError for
    an unknown scorer, setting or preset, a setting that the model rules out, and a set without images.
    """
    require_images("test", id_test, ood)
    say = progress or (lambda _: None)
    ready = [_own(one) if isinstance(one, Scorer) else parse_scorer(one, preset) for one in scorers]
    specs = [one.spec() if isinstance(one, Scorer) else spec_of(*read_spec(one)) for one in scorers]
    held_out = None
    if val is None and fit is not None and any(_learns_from(scorer) == "val" for scorer in ready):
        val = fit.subset(held_out_rows(fit, seed))
        held_out = f"no validation images given: learnt from a stratified {HELD_OUT_SHARE:.0%} of the training images"
    sizes = {name: len(outputs) for name, outputs in ood.items()}
    jobs = []
    for scorer, spec in zip(ready, specs, strict=True):
        images, note = {"train": (fit, None), "val": (val, held_out), None: (None, None)}[_learns_from(scorer)]
        caution, reason = _fit(scorer, images, id_test, say)
        known = (scorer.name, spec, scorer.settings(), scorer.fits_on, scorer.fitted_on)
        notes = "; ".join(one for one in (caution, note) if one) or None
        jobs.append(Scored(*known, np.empty(0), {}, len(id_test), sizes, notes, reason))
    everything: list[tuple[str | None, Outputs]] = [(None, id_test), *ood.items()]
    for name, outputs in everything:
        say(f"scoring {name or 'the in-distribution test set'}: {len(outputs)} images")
        jobs = _with_scores(ready, jobs, name, outputs)
    return jobs


def held_out_rows(fit: Outputs, seed: int) -> Tensor:
    """The rows of ``fit`` that stand in for validation images where none are given: a stratified tenth, drawn by ``seed``."""
    return stratified_rows(fit.labels, HELD_OUT_SHARE, seed, ids=fit.indices)


def results(
    scored: Sequence[Scored],
    groups: Mapping[str, str] | None = None,
    *,
    model: str = "",
    head: str = "",
    id_set: str = "",
) -> list[Result]:
    """For each scorer a row for each near set and their mean, each far set and their mean, and the mean of both means.

    groups: ``"near"`` or ``"far"`` by set; a set that is not named is far. A mean is there where its sets are. model, head, id_set:
    what to write in the rows.
    """
    rows = []
    names = [one.name for one in scored]
    for one in scored:
        label = one.name if names.count(one.name) == 1 else one.spec
        scorer = (label, one.spec, one.settings, one.fits_on, one.fitted_on)
        blank = Result(model, head, *scorer, id_set, "", "", one.n_id, 0, note=one.note, reason=one.reason)
        figures = {} if one.reason else {name: _figures(one.id_scores, scores) for name, scores in one.ood_scores.items()}
        for name, group, members in _plan(list(one.n_ood), groups):
            row = replace(blank, ood_set=name, group=group, n_ood=sum(one.n_ood[member] for member in members))
            rows.append(
                row if one.reason else _filled(row, one, figures, dict(zip(members, mean_weights(members, groups), strict=True)))
            )
    return rows


def most_general_mean(rows: Sequence[Result]) -> str:
    """The name of the mean over most sets that there are rows for: ``"mean"`` or, with sets of one group, that group's."""
    names = {row.ood_set for row in rows}
    return next((name for name in reversed(MEANS) if name in names), "mean")


def best(rows: Sequence[Result]) -> Result | None:
    """Of the rows for the most general mean that with the highest AUROC; None where nothing was scored."""
    name = most_general_mean(rows)
    values = [(row.auroc.value, row) for row in rows if row.ood_set == name and row.auroc is not None]
    return max(values, key=lambda pair: pair[0])[1] if values else None


def mean_weights(ood_sets: Sequence[str], groups: Mapping[str, str] | None = None) -> list[float]:
    """The weights, adding up to 1, of these sets in mean(near mean, far mean), or in the one mean where all are of a group."""
    group_of = _group_of(ood_sets, groups)
    sizes = {group: list(group_of.values()).count(group) for group in group_of.values()}
    return [1 / (len(sizes) * sizes[group_of[name]]) for name in ood_sets]


def require_images(role: str, inside: Outputs, ood: Mapping[str, Outputs]) -> None:
    """Raise UsageError where the ID set, for ``role``, or an OOD set has no images, or there is no OOD set."""
    for name, outputs in {f"in-distribution {role}": inside, **ood}.items():
        if len(outputs) == 0:
            raise UsageError(f"the {name} set has no images; give one that has")
    if not ood:
        raise UsageError("got no OOD set; give at least one")


def _own(scorer: Scorer) -> Scorer:
    """A copy to fit, and to keep what it learnt on the outputs' device; the caller's scorer shares only tensors with it."""
    own = copy(scorer)
    own.state = None if scorer.state is None else dict(scorer.state)
    return own


def _learns_from(scorer: Scorer) -> FitsOn:
    """What the scorer still has to learn from."""
    return scorer.fits_on if scorer.state is None else None


def _fit(scorer: Scorer, images: Outputs | None, id_test: Outputs, say: Callable[[str], None]) -> tuple[str | None, str | None]:
    """Its caution, and the reason why it can't score; each None where there is none."""
    try:
        if _learns_from(scorer) is not None:
            if images is None:
                raise NotApplicableError(f"{scorer.name} learns from ID {scorer.fits_on} images and none were given")
            say(f"fitting {scorer.name}: {len(images)} images")
            scorer.fit(images)
        if scorer.probe() is not None:
            scorer.probed(id_test.subset(torch.arange(0)))  # what keeps a probe from a network keeps it from every set of images
        return scorer.caution(id_test), None
    except NotApplicableError as error:
        return None, str(error)


def _with_scores(scorers: Sequence[Scorer], jobs: Sequence[Scored], name: str | None, outputs: Outputs) -> list[Scored]:
    """All scorers go through the set together: its features are read, and its logits made, once."""
    pieces: list[list[Vector]] = [[] for _ in jobs]
    reasons = [job.reason for job in jobs]
    for chunk in outputs.chunks():
        (ready,) = chunk.with_stored_logits().chunks()
        for which, scorer in enumerate(scorers):
            try:
                if reasons[which] is None:
                    pieces[which].append(scorer.score(ready).numpy())
            except NotApplicableError as error:
                reasons[which] = f"{error} (in {name or 'the in-distribution test set'})"
    return [_with_set(job, name, own, reason) for job, own, reason in zip(jobs, pieces, reasons, strict=True)]


def _with_set(job: Scored, name: str | None, pieces: Sequence[Vector], reason: str | None) -> Scored:
    if reason is not None:
        return replace(job, id_scores=np.empty(0), ood_scores={}, reason=reason)
    scores = np.concatenate(pieces)
    return replace(job, id_scores=scores) if name is None else replace(job, ood_scores={**job.ood_scores, name: scores})


def _group_of(ood_sets: Sequence[str], groups: Mapping[str, str] | None) -> dict[str, str]:
    for name, group in (groups or {}).items():
        if group not in GROUPS:
            raise UsageError(f"an OOD set is near or far, got {name}={group}")
    return {name: (groups or {}).get(name, "far") for name in ood_sets}


def _plan(ood_sets: Sequence[str], groups: Mapping[str, str] | None) -> list[tuple[str, str, list[str]]]:
    """The rows of a scorer in their order: name, group, and the sets that it is the mean of."""
    group_of = _group_of(ood_sets, groups)
    if unknown := set(groups or {}) - set(ood_sets):
        raise UsageError(f"groups name {min(unknown)!r}, which is no OOD set; there are {', '.join(ood_sets)}")
    plan = []
    for group in GROUPS:
        members = [name for name in ood_sets if group_of[name] == group]
        plan += [(name, group, [name]) for name in members]
        plan += [(f"{group} mean", f"{group} mean", members)] if members else []
    both = set(group_of.values()) == set(GROUPS)
    return [*plan, ("mean", "mean", list(ood_sets))] if both else plan


@dataclass(frozen=True)
class _Figures:
    fpr95_ood: Estimate
    fpr95_id: Estimate
    aupr_in: float
    aupr_out: float


def _figures(inside: Vector, outside: Vector) -> _Figures:
    return _Figures(fpr95_ood(inside, outside), fpr95_id(inside, outside), aupr_in(inside, outside), aupr_out(inside, outside))


def _filled(row: Result, one: Scored, figures: Mapping[str, _Figures], weights: Mapping[str, float]) -> Result:
    shares = list(weights.values())
    own = [figures[name] for name in weights]
    return replace(
        row,
        auroc=mean_auroc(one.id_scores, [one.ood_scores[name] for name in weights], shares),
        fpr95_ood=mean_estimate([figure.fpr95_ood for figure in own], shares),
        fpr95_id=mean_estimate([figure.fpr95_id for figure in own], shares),
        aupr_in=float(np.dot([figure.aupr_in for figure in own], shares)),
        aupr_out=float(np.dot([figure.aupr_out for figure in own], shares)),
    )
