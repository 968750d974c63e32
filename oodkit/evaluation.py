"""Scores to figures: one row for each OOD set and each mean over sets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oodkit.delong import Placements, mean_of_placements, place, weigh
from oodkit.errors import UsageError
from oodkit.metrics import Estimate, Rates, Vector, mean_estimate, rates, weighted_mean
from oodkit.outputs import Outputs
from oodkit.scorers.base import FitsOn, Scorer
from oodkit.scorers.knn import doubt_in
from oodkit.scoring import Scored, labels_of, score_all

GROUPS = ("near", "far")
MEANS = (*(f"{group} mean" for group in GROUPS), "mean")


@dataclass(frozen=True)
class Result:
    """One row: a scorer on an OOD set or, named ``"near mean"``, ``"far mean"`` or ``"mean"``, its mean over sets.

    scorer: its name, with its settings where several of one name were asked for. spec: as it is asked for, such as ``knn:k=10``.
    settings: as they took effect. fits_on, n_fit: what the scorer learnt from, and how many images. group: ``"near"`` or ``"far"``,
    for a mean its own name. Figures are fractions in [0, 1] with their 95 % intervals; the limits of a mean FPR are the means of
    its sets' limits, which is conservative. notes: what else is to know. tuned: what a search of the settings
    found, None where none was made. reason: why there are no figures; then they are None.
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
    notes: tuple[str, ...] = ()
    tuned: str | None = None
    reason: str | None = None

    @property
    def doubted(self) -> bool:
        """Whether its figures say nothing of the scorer: the neighbour that it looks at is of another class."""
        return doubt_in(self.notes) is not None


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
    return results_and_placements(scored, groups, model=model, head=head, id_set=id_set)[0]


def results_and_placements(
    scored: Sequence[Scored],
    groups: Mapping[str, str] | None = None,
    *,
    model: str = "",
    head: str = "",
    id_set: str = "",
) -> tuple[list[Result], dict[str, Placements], dict[str, dict[str, Placements]]]:
    """The rows of ``results`` and, for paired tests without placing the images again, of every scorer that gave scores its
    placements: by scorer those of the most general mean, and by scorer and OOD set those of the set.
    """
    rows, means, placed = [], {}, {}
    for label, one in zip(labels_of(scored), scored, strict=True):
        scorer = (label, one.spec, one.settings, one.fits_on, one.fitted_on)
        blank = Result(model, head, *scorer, id_set, "", "", one.n_id, 0, notes=one.notes, tuned=one.tuned, reason=one.reason)
        figures = {} if one.reason else {name: _Figures.of(one.id_scores, scores) for name, scores in one.ood_scores.items()}
        if one.reason is None:
            placed[label] = {name: own.placed for name, own in figures.items()}
        for name, group, members in rows_planned(list(one.n_ood), groups):
            row = replace(blank, ood_set=name, group=group, n_ood=sum(one.n_ood[member] for member in members))
            if one.reason is None:
                weights = mean_weights(members, groups)
                means[label] = weigh([figures[member].placed for member in members], weights)  # the most general mean comes last
                row = _filled(row, means[label], [figures[member].rates for member in members], weights)
            rows.append(row)
    return rows, means, placed


def most_general_mean(rows: Sequence[Result]) -> str:
    """The name of the mean over most sets that there are rows for: ``"mean"`` or, with sets of one group, that group's."""
    names = {row.ood_set for row in rows}
    return next((name for name in reversed(MEANS) if name in names), "mean")


def best_first(rows: Sequence[Result]) -> list[Result]:
    """The rows for the most general mean by their AUROC, the highest first and those in doubt last.

    Without those that were not scored.
    """
    name = most_general_mean(rows)
    found = [(row.doubted, -row.auroc.value, row) for row in rows if row.ood_set == name and row.auroc is not None]
    return [row for *_, row in sorted(found, key=lambda one: one[:2])]


def best(rows: Sequence[Result]) -> Result | None:
    """The first of ``best_first``; None where nothing was scored."""
    return next(iter(best_first(rows)), None)


def mean_weights(ood_sets: Sequence[str], groups: Mapping[str, str] | None = None) -> list[float]:
    """The weights, adding up to 1, of these sets in mean(near mean, far mean), or in the one mean where all are of a group."""
    group_of = _group_of(ood_sets, groups)
    sizes = {group: list(group_of.values()).count(group) for group in group_of.values()}
    return [1 / (len(sizes) * sizes[group_of[name]]) for name in ood_sets]


def _group_of(ood_sets: Sequence[str], groups: Mapping[str, str] | None) -> dict[str, str]:
    for name, group in (groups or {}).items():
        if group not in GROUPS:
            raise UsageError(f"an OOD set is near or far, got {name}={group}")
    return {name: (groups or {}).get(name, "far") for name in ood_sets}


def rows_planned(ood_sets: Sequence[str], groups: Mapping[str, str] | None) -> list[tuple[str, str, list[str]]]:
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


@dataclass(frozen=True, eq=False)
class _Figures:
    """What takes time of an OOD set, made once for its own row and the means that it is in."""

    rates: Rates
    placed: Placements

    @classmethod
    def of(cls, inside: Vector, outside: Vector) -> "_Figures":
        return cls(rates(inside, outside), place(inside, outside))


def _filled(row: Result, placed: Placements, own: Sequence[Rates], weights: Sequence[float]) -> Result:
    return replace(
        row,
        auroc=mean_of_placements(placed),
        fpr95_ood=mean_estimate([one.fpr95_ood for one in own], weights),
        fpr95_id=mean_estimate([one.fpr95_id for one in own], weights),
        aupr_in=weighted_mean([one.aupr_in for one in own], weights),
        aupr_out=weighted_mean([one.aupr_out for one in own], weights),
    )
