"""Settings chosen on validation images, from their outputs alone: OpenOOD's automatic parameter search (APS)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, UsageError
from oodkit.metrics import auroc
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, Scorer, one_pass_scorers, parse_scorer, read_spec
from oodkit.scoring import HELD_OUT_SHARE, STOPS_ONE, Scored, require_images, why_no_scores
from oodkit.specs import spec_of
from oodkit.stats import stratified_rows
from oodkit.wording import gib, number, percent

FIT_BYTES = 4 * 2**30  # what the training images may take that are copied where a share of them is held out


@dataclass(frozen=True)
class Tried:
    """One combination of settings. spec: the scorer with it. settings: those that were searched.

    auroc: of the ID validation images against the OOD ones, a fraction. reason: why there is none, where it could not be had.
    """

    spec: str
    settings: Mapping[str, Any]
    auroc: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Tuning:
    """The search of one scorer. scorer: its name. asked, spec: as it was asked for, and as it is to be used from now on.

    sets: the OOD validation sets; n_id, n_ood: the numbers of ID and of OOD validation images. tried: every combination in its
    order, none where there is nothing to search. before: the one that was asked for, chosen: the best, of equals that one,
    None where none could score. note: what else is to know of the images.
    """

    scorer: str
    asked: str
    spec: str
    sets: tuple[str, ...]
    n_id: int
    n_ood: int
    tried: tuple[Tried, ...] = ()
    before: Tried | None = None
    chosen: Tried | None = None
    note: str | None = None

    def remark(self) -> str | None:
        """What a result with these settings has to say of them; None where they were not searched."""
        if self.chosen is None or self.before is None:
            return None
        was, now = (number(one.auroc) for one in (self.before, self.chosen))
        found = f"{now}, with the settings asked for" if self.spec == self.asked else f"{was} → {now}"
        return f"tuned on {', '.join(self.sets)}: AUROC {found}" + (f" ({self.note})" if self.note else "")


def tune(
    ood_val: Mapping[str, Outputs],
    *,
    scorers: Sequence[str] = (),
    fit: Outputs | None = None,
    val: Outputs | None = None,
    withheld: Sequence[int] = (),
    preset: str = "openood",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> list[Tuning]:
    """Try every combination of each scorer's ``grid`` on validation images; give the ``spec`` of each to ``evaluate``.

    ood_val: outputs on OOD images for validation, by name; that no test set holds these images is the caller's to see to (the
    command line compares them). scorers: names or specs, by default all that need no probe; a setting that a spec gives stays
    as given. fit, val: ID training and validation outputs. withheld: ``indices`` of the images, of ``val`` or else of ``fit``, that
    take no part. progress: called with a line for each combination.

    A scorer is fitted on what it learns from, as in ``evaluate``, and judged by the AUROC of ``val`` against each OOD set, the
    unweighted mean over several. The first setting of a grid varies fastest, the setting asked for comes last where the grid does
    not hold it. Of equals the setting asked for wins, or else the first, which in OpenOOD always does. A combination that does not
    apply is a row with its reason; a scorer without a grid, or of which no combination applies, stays as it was asked for. No
    scorer changes a prediction, and so no choice does. One that reads a probe needs outputs with the probe of each combination.

    Without ``val`` the stratified tenth of ``fit`` takes its place that ``evaluate`` holds out too, and scorers that learn from
    training images learn from the other nine, which are copied: an image in a bank of neighbours is its own nearest one. Of either
    only as many are taken, a stratified draw, as FIT_BYTES hold; the note says so. The logits of the validation images are made
    once and kept, 4 · C bytes an image, unless they are stored with the features.
    Raises UsageError without ID images, for a set without images, for an unknown scorer, setting or preset, and for a scorer that
    is no name or spec but made already.
    """
    say = progress or (lambda _: None)
    given: Sequence[object] = scorers
    for made in (one for one in given if isinstance(one, Scorer)):
        raise UsageError(f"a search makes its own scorers: give the name or spec {made.spec()!r}, not a {type(made).__name__}")
    asked = [(one, parse_scorer(one, preset)) for one in scorers or one_pass_scorers()]
    train, inside, note = _id_images(
        fit, val, withheld, seed, any(own.fits_on == "train" and candidates(one) for one, own in asked)
    )
    require_images("validation", inside, ood_val)
    sets = {name: outputs.with_stored_logits() for name, outputs in ood_val.items()}
    images = _Images(train, inside.with_stored_logits(), sets)
    facts = (tuple(sets), len(inside), sum(map(len, sets.values())))
    tunings = []
    for text, own in asked:
        spec = spec_of(*read_spec(text))
        tunings.append(_searched(Tuning(own.name, spec, spec, *facts, note=note), own, preset, images, say))
    return tunings


def candidates(spec: str) -> list[str]:
    """The combinations that a search of this scorer tries, as specs; none where it has no grid or all of it is given."""
    name, given = read_spec(spec)
    grid = {setting: values for setting, values in SCORERS[name].grid.items() if setting not in given}
    combinations = product(*reversed(grid.values())) if grid else ()  # the last of a product varies fastest
    return [spec_of(name, {**given, **dict(zip(grid, reversed(values), strict=True))}) for values in combinations]


def noted(scored: Sequence[Scored], tunings: Sequence[Tuning]) -> list[Scored]:
    """The same scores with what the search found of those whose settings were searched."""
    remarks = {one.spec: one.remark() for one in tunings}
    return [replace(one, tuned=remarks.get(one.spec)) for one in scored]


@dataclass(frozen=True)
class _Images:
    train: Outputs | None
    val: Outputs
    ood: Mapping[str, Outputs]

    def auroc(self, scorer: Scorer) -> float:
        """Fitted, scored and forgotten: the banks of a whole grid would not fit in memory together."""
        if scorer.fits_on is not None:
            learns_from = self.train if scorer.fits_on == "train" else self.val
            if learns_from is None:
                raise NotApplicableError(f"{scorer.name} learns from ID train images and none were given")
            scorer.fit(learns_from)
        inside = scorer.score(self.val).numpy()
        return float(np.mean([auroc(inside, scorer.score(outputs).numpy()) for outputs in self.ood.values()]))


def _id_images(
    fit: Outputs | None, val: Outputs | None, withheld: Sequence[int], seed: int, learning: bool
) -> tuple[Outputs | None, Outputs, str | None]:
    """What to learn from, ``val`` or what stands in for it, and a note where something does; ``learning``: whether any learns."""
    if val is not None:
        return fit, val.subset(_free_rows(val, withheld)) if withheld else val, None
    if fit is None:
        raise UsageError("a search needs ID images: give val, or fit, of which a share is held out")
    free = _free_rows(fit, withheld)
    judged_by = torch.zeros(len(fit), dtype=torch.bool)
    judged_by[_drawn(fit, free, HELD_OUT_SHARE, seed)] = True
    held_out, share = rows_that_fit(fit, judged_by.nonzero().flatten(), seed)
    note = f"no validation images given: held out a stratified {percent(HELD_OUT_SHARE, 0)} of the training images"
    note += f", judged by {percent(share, 0)} of them ({gib(FIT_BYTES)})" if share < 1 else ""
    if not learning:
        return None, fit.subset(held_out), note
    others, share = rows_that_fit(fit, free[~judged_by[free]], seed)
    note += f"; learnt from {percent(share, 0)} of the others ({gib(FIT_BYTES)})" if share < 1 else ""
    return fit.subset(others), fit.subset(held_out), note


def rows_that_fit(outputs: Outputs, rows: Tensor, seed: int) -> tuple[Tensor, float]:
    """As many of the rows as FIT_BYTES hold, a stratified draw, and the share that they are."""
    share = min(1.0, FIT_BYTES / max(outputs.row_bytes * len(rows), 1))
    return (rows if share == 1 else _drawn(outputs, rows, share, seed)), share


def _drawn(outputs: Outputs, rows: Tensor, share: float, seed: int) -> Tensor:
    drawn: Tensor = rows[stratified_rows(outputs.labels.cpu()[rows], share, seed, ids=outputs.indices.cpu()[rows])]
    return drawn


def _free_rows(outputs: Outputs, withheld: Sequence[int]) -> Tensor:
    return (~torch.isin(outputs.indices.cpu(), torch.tensor(withheld, dtype=torch.int64))).nonzero().flatten()


def _searched(blank: Tuning, own: Scorer, preset: str, images: _Images, say: Callable[[str], None]) -> Tuning:
    specs = candidates(blank.asked)
    if not specs:
        return blank
    given = read_spec(blank.asked)[1]
    as_asked = {setting: getattr(own, setting) for setting in own.grid if setting not in given}
    tried: list[Tried] = []
    before: Tried | None = None
    for spec in specs:
        say(f"trying {spec}, {len(tried) + 1} of {len(specs)}")
        combination = {setting: value for setting, value in read_spec(spec)[1].items() if setting in as_asked}
        tried.append(_try(spec, combination, preset, images))
        before = tried[-1] if combination == as_asked else before
    if before is None:
        before = _try(blank.asked, as_asked, preset, images)
        tried.append(before)
    aurocs = [-1.0 if one.auroc is None else one.auroc for one in tried]
    best = before if before.auroc == max(aurocs) else tried[int(np.argmax(aurocs))]
    chosen = best if max(aurocs) >= 0 else None
    spec = blank.asked if chosen is None or chosen is before else chosen.spec
    return replace(blank, spec=spec, tried=tuple(tried), before=before, chosen=chosen)


def _try(spec: str, settings: Mapping[str, Any], preset: str, images: _Images) -> Tried:
    try:
        scorer = parse_scorer(spec, preset)
    except UsageError as error:
        return Tried(spec, settings, reason=str(error))
    try:
        found = images.auroc(scorer)
    except STOPS_ONE as error:
        return Tried(spec, settings, reason=why_no_scores(scorer.name, error, images.val))
    in_effect = scorer.settings()
    return Tried(spec, {setting: in_effect[setting] for setting in settings}, found)
