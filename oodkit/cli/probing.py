"""Which probes run on which image sets: only where a scorer that was asked for needs them, since each costs several passes."""

from collections.abc import Iterable, Sequence

from oodkit.cli.inputs import Sets
from oodkit.errors import UsageError
from oodkit.scorers import Scorer, parse_scorer
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
    for spec in [one for asked in specs for one in (asked, *candidates(asked))]:
        try:
            found.append(parse_scorer(spec, preset))
        except UsageError:
            continue
    return found
