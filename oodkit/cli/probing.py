"""Which probes run on which image sets: only where a scorer that was asked for needs them, since each costs several passes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from oodkit.cli.choosing import judged_by
from oodkit.cli.inputs import Sets
from oodkit.errors import UsageError
from oodkit.images.limited import taken
from oodkit.scorers import Scorer, parse_scorer
from oodkit.scorers.adascale import MOST_IMAGES
from oodkit.scoring import HELD_OUT_SHARE
from oodkit.stats import stratified_rows
from oodkit.tuning import candidates


def probes_by_set(scorers: Sequence[Scorer], sets: Sets, scored: Iterable[str]) -> dict[str, list[str]]:
    """By the names of image sets the probes that these scorers need there: on what they learn from, and on ``scored``."""
    found: dict[str, dict[str, None]] = {name: {} for name in sets.named()}
    learnt_from = {"train": {"fit"}, "val": {"fit" if sets.val is None else "val"}, None: set()}
    for scorer in scorers:
        if probe := scorer.probe():
            for name in learnt_from[scorer.fits_on].union(scored) & found.keys():
                found[name][probe] = None
    return {name: list(probes) for name, probes in found.items()}


def searched(specs: Sequence[str], preset: str) -> list[Scorer]:
    """Every scorer that a search of these tries; an impossible combination, which the search gives its reason, is none."""
    found = []
    for spec in [one for asked in specs if (grid := candidates(asked)) for one in (asked, *grid)]:
        try:
            found.append(parse_scorer(spec, preset))
        except UsageError:
            continue
    return found


def with_affordable_val(sets: Sets, specs: Sequence[str], preset: str, seed: int) -> Sets:
    """The same sets, but where a probe is to run on ID validation images, no more of these than AdaSCALE learns from.

    Without ``val`` the images of ``evaluate``'s tenth of ``fit`` take its place, or as many of them as that: the probe would run on
    every training image otherwise. It is then the validation set of all scorers, so that they are compared on the same images.
    """
    role = "fit" if sets.val is None else "val"
    learning = probes_by_set([parse_scorer(spec, preset) for spec in specs], sets, ())
    judging = probes_by_set(searched(specs, preset), sets, [judged_by(sets)]) if sets.tune else {}
    if not (learning.get(role) or judging.get(role)):
        return sets
    whole = sets.named()[role]
    share = min(HELD_OUT_SHARE if sets.val is None else 1, MOST_IMAGES / len(whole))
    if share == 1:
        return sets
    rows = stratified_rows(torch.from_numpy(whole.labels), share, seed).numpy()
    drawn = f"{len(rows)} of the {len(whole)} {'training' if sets.val is None else 'validation'} images, drawn class by class"
    note = f"no validation images given: {drawn}" if sets.val is None else f"a probe runs on them: {drawn}"
    held_out = rows.tolist() if sets.val is None else ()
    return replace(sets, val=taken(whole, rows), held_out=held_out, notes={**sets.notes, "val": [*sets.notes.get("val", ()), note]})
