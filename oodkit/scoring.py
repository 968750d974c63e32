"""Scorers fitted once, and every image set scored once, whatever fails on the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, UsageError
from oodkit.failures import reason_of
from oodkit.metrics import Vector
from oodkit.outputs import Outputs
from oodkit.scorers import parse_scorer, read_spec
from oodkit.scorers.base import FitsOn, Scorer
from oodkit.scorers.common.bank import BankScorer
from oodkit.specs import spec_of
from oodkit.stats import stratified_rows
from oodkit.wording import percent

HELD_OUT_SHARE = 0.1
STOPS_ONE = (NotApplicableError, RuntimeError, MemoryError)  # a scorer, and need not stop the others; see ``why_no_scores``
USED_BY_TABLES = frozenset({"mean", "near mean", "far mean", "ID", "id", "fit", "val"})  # no OOD set can have such a name


@dataclass(frozen=True, eq=False)
class Scored:
    """A scorer's scores, (N,) float64: of the ID test images and by OOD set, images in the order of their outputs.

    name, settings, fits_on, fitted_on: of the scorer, as it was when it scored; spec: as it was asked for. What it learnt is not
    kept, since the bank of one scorer can be 10 GB. With a ``reason`` there are no scores. n_id, n_ood: numbers of images, there
    in any case. notes: what else is to know. tuned: what a search of the settings found.
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
    notes: tuple[str, ...] = ()
    tuned: str | None = None
    reason: str | None = None


def score_all(
    scorers: Sequence[str | Scorer],
    id_test: Outputs,
    ood: Mapping[str, Outputs],
    *,
    fit: Outputs | None = None,
    val: Outputs | None = None,
    preset: str = "openood",
    seed: int = 0,
    same_features: Sequence[Scored] = (),
    progress: Callable[[str], None] | None = None,
) -> list[Scored]:
    """Fit each scorer once and score the ID test images and every OOD set once.

    scorers: names, specs like ``knn:k=20``, or scorers; those are left as they are, and one already fitted is used as it is.
    fit, val: ID training and validation outputs. Without ``val`` the scorers that learn from validation images get a stratified
    tenth of ``fit``, drawn by ``seed``, and a note says so. same_features: what was scored with another head, all else the same:
    of scorers that read features alone it is taken over, bit for bit. progress: called with a line for each step.

    All scorers without a bank go through each set together; then each with one by itself, so that there is one bank at a time.
    A scorer that does not apply, has nothing to learn from, gives NaN, runs out of memory or meets a decomposition that does not
    converge gets a ``reason`` and stops nothing. Raises UsageError for an unknown scorer, setting or preset, a setting that the
    model rules out, and for sets that can't be scored together (``require_images``). Of equal scorers, not yet fitted, the first
    alone is there.
    """
    require_images("test", id_test, ood)
    for name, outputs in {"fit": fit, "val": val}.items():
        if outputs is not None:
            _require(Outputs, name, outputs)
    say = progress or (lambda _: None)
    asked = _without_twins([(one, _own(one) if isinstance(one, Scorer) else parse_scorer(one, preset)) for one in scorers])
    ready = [own for _, own in asked]
    specs = [one.spec() if isinstance(one, Scorer) else spec_of(*read_spec(one)) for one, _ in asked]
    done = _taken_over(ready, specs, same_features)
    left = {number: scorer for number, scorer in enumerate(ready) if number not in done}
    learnt = {source: learnt_from(source, fit, val, seed) for source in set(map(_learns_from, left.values()))}
    held_out = f"no validation images given: learnt from a stratified {percent(HELD_OUT_SHARE, 0)} of the training images"
    sizes = {name: len(outputs) for name, outputs in ood.items()}
    for numbers in _passes(left):
        jobs = []
        for number in numbers:
            scorer, source = ready[number], _learns_from(ready[number])
            caution, reason = _fit(scorer, learnt[source], id_test, say)
            note = held_out if source == "val" and val is None and fit is not None else None
            known = (scorer.name, specs[number], scorer.settings(), scorer.fits_on, scorer.fitted_on)
            notes = tuple(one for one in (caution, note) if one)
            jobs.append(Scored(*known, np.empty(0), {}, len(id_test), sizes, notes, reason=reason))
        group = [ready[number] for number in numbers]
        done |= zip(numbers, _scored(group, jobs, id_test, ood, say), strict=True)
        for scorer in group:
            scorer.state = None
    return [done[number] for number in range(len(ready))]


def labels_of(scored: Sequence[Scored]) -> list[str]:
    """What each is called in results: its name or, where several share that, its spec."""
    names = [one.name for one in scored]
    return [one.name if names.count(one.name) == 1 else one.spec for one in scored]


def by_label(scored: Sequence[Scored]) -> dict[str, Scored]:
    """Each by what it is called in results."""
    return dict(zip(labels_of(scored), scored, strict=True))


def learnt_from(fits_on: FitsOn, fit: Outputs | None, val: Outputs | None, seed: int) -> Outputs | None:
    """What a scorer learns from: the training images; or the validation images, else ``held_out_rows``; None for nothing."""
    if fits_on == "val":
        return fit.subset(held_out_rows(fit, seed)) if val is None and fit is not None else val
    return fit if fits_on == "train" else None


def held_out_rows(fit: Outputs, seed: int) -> Tensor:
    """The rows of ``fit`` that stand in for validation images where none are given: a stratified tenth, drawn by ``seed``."""
    return stratified_rows(fit.labels, HELD_OUT_SHARE, seed, ids=fit.indices)


def require_free_names(names: Iterable[str], *more_used: str) -> None:
    """Raise UsageError where an OOD set has a name that the tables use, or one of those that are used beside."""
    if taken := USED_BY_TABLES.union(more_used).intersection(names):
        raise UsageError(f"an OOD set can't be named {min(taken)!r}, which the tables use already; give it another name")


def require_images(role: str, inside: Outputs, ood: Mapping[str, Outputs]) -> None:
    """Raise UsageError where the ID set, for ``role``, or an OOD set has no images, or there is no OOD set.

    So too where one of them is no ``Outputs``, and where an OOD set comes from another network than the ID set or has a name
    that the tables use.
    """
    _require(Mapping, "the OOD sets", ood, "give {name: outputs}")
    require_free_names(ood)
    for name, outputs in [(f"in-distribution {role}", inside), *ood.items()]:
        _require(Outputs, f"the {name} set", outputs)
        if len(outputs) == 0:
            raise UsageError(f"the {name} set has no images; give one that has")
        for what, theirs, ours in (
            ("features", outputs.num_features, inside.num_features),
            ("classes", outputs.num_classes, inside.num_classes),
        ):
            if theirs != ours:
                raise UsageError(f"the OOD set {name!r} comes from another network: {theirs} {what}, the ID {role} has {ours}")
    if not ood:
        raise UsageError("got no OOD set; give at least one")


def _require(kind: type, what: str, given: object, remedy: str = "make it with Outputs(features, labels, head=head)") -> None:
    if not isinstance(given, kind):
        raise UsageError(f"{what} must be {kind.__name__}, got {type(given).__name__}; {remedy}")


def _without_twins(asked: Sequence[tuple[str | Scorer, Scorer]]) -> list[tuple[str | Scorer, Scorer]]:
    """Each scorer, beside what asked for it, once; one that is fitted already has learnt what no other need have learnt."""
    kept: list[tuple[str | Scorer, Scorer]] = []
    for one, own in asked:
        same = (one is first or (own == other and own.state is None and other.state is None) for first, other in kept)
        if not any(same):
            kept.append((one, own))
    return kept


def _taken_over(scorers: Sequence[Scorer], specs: Sequence[str], same_features: Sequence[Scored]) -> dict[int, Scored]:
    """By number what is known already of the scorers that read features alone and have yet to learn."""
    known = {one.spec: one for one in same_features}
    wanted = enumerate(zip(scorers, specs, strict=True))
    return {number: known[spec] for number, (own, spec) in wanted if spec in known and own.uses == "features" and own.state is None}


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
        scorer.require_same_network(id_test)
        if scorer.probe() is not None:
            scorer.probed(id_test.subset(torch.arange(0)))  # what keeps a probe from a network keeps it from every set of images
        return scorer.caution(id_test), None
    except STOPS_ONE as error:
        return None, why_no_scores(scorer.name, error, id_test)


def _passes(scorers: Mapping[int, Scorer]) -> list[list[int]]:
    """The numbers of the scorers that go through the sets together; reading a set again is cheap beside a search in a bank."""
    banks = [number for number, scorer in scorers.items() if isinstance(scorer, BankScorer)]
    others = [number for number in scorers if number not in banks]
    return [numbers for numbers in (others, *([number] for number in banks)) if numbers]


def _scored(
    scorers: Sequence[Scorer], jobs: list[Scored], id_test: Outputs, ood: Mapping[str, Outputs], say: Callable[[str], None]
) -> list[Scored]:
    """The jobs of one pass with their scores or reasons. Where not even the images can be read, that is the reason of all."""
    everything: list[tuple[str | None, Outputs]] = [(None, id_test), *ood.items()]
    by = f" by {jobs[0].name}" if isinstance(scorers[0], BankScorer) else ""
    for name, outputs in everything:
        if any(job.reason is None for job in jobs):
            say(f"scoring {name or 'the in-distribution test set'}{by}: {len(outputs)} images")
            try:
                jobs = _with_scores(scorers, jobs, name, outputs)
            except (RuntimeError, MemoryError) as error:
                jobs = [_with_set(job, name, np.empty(0), job.reason or why_no_scores(job.name, error, outputs)) for job in jobs]
    return jobs


def _with_scores(scorers: Sequence[Scorer], jobs: Sequence[Scored], name: str | None, outputs: Outputs) -> list[Scored]:
    """All scorers go through the set together: its features are read, and its logits made, once.

    The scores have their place from the start: small arrays kept from every chunk would lie between the large ones that come and
    go, and keep the allocator from using their memory again (7 GB at 100,000 images).
    """
    scores = [np.empty(len(outputs)) for _ in jobs]
    reasons = [job.reason for job in jobs]
    where = f" (in {name or 'the in-distribution test set'})"
    done = 0
    for chunk in outputs.chunks():
        (ready,) = chunk.with_stored_logits().chunks()
        for which, scorer in enumerate(scorers):
            try:
                if reasons[which] is None:
                    scores[which][done : done + len(ready)] = scorer.score(ready).numpy()
            except STOPS_ONE as error:
                reasons[which] = why_no_scores(scorer.name, error, outputs) + where
        done += len(ready)
    return [_with_set(job, name, own, reason) for job, own, reason in zip(jobs, scores, reasons, strict=True)]


def _with_set(job: Scored, name: str | None, scores: Vector, reason: str | None) -> Scored:
    if reason is not None:
        return replace(job, id_scores=np.empty(0), ood_scores={}, reason=reason)
    return replace(job, id_scores=scores) if name is None else replace(job, ood_scores={**job.ood_scores, name: scores})


def why_no_scores(name: str, error: Exception, outputs: Outputs) -> str:
    """Of one of STOPS_ONE why a scorer gives no scores. Raises the error where that is a mistake in the code."""
    if isinstance(error, NotApplicableError):
        return str(error)
    if (met := reason_of(error, outputs.device)) is None:
        raise error
    return f"{name} {met}"
