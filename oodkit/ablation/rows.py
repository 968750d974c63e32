"""From trials to the table: each recipe with each head over its seeds, held against the baseline of the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from oodkit.ablation import AS_TRAINED, AUGDELETED, Figures, Gain, Row, Spread, Trial
from oodkit.ablation.student import paired_gain, spread_of
from oodkit.max_logits import decrease_of, ratio_of

MEAN = "mean"
ByScorer = Mapping[str, Mapping[str, float]]


def with_shifts(trials: Sequence[Trial], baseline: str, unlike: Sequence[str] = ()) -> list[Trial]:
    """The same trials, each with the shift of its maximal logit, as trained, against the baseline's with the same seed.

    unlike: recipes without one, as their logits are no logits of the baseline's kind: there is no share by which they fell.
    """
    own = {one.seed: one.before.max_logits for one in trials if one.recipe == baseline}
    return [
        replace(one, shift=None if one.recipe in {baseline, *unlike} or one.seed not in own else _shift(one, own[one.seed]))
        for one in trials
    ]


def rows_of(trials: Sequence[Trial], recipes: Sequence[str], baseline: str) -> list[Row]:
    """For each recipe that has a trial a row as trained and one with the last layer refitted, in the order of the recipes."""
    rows = []
    against = {one.seed: one.before for one in trials if one.recipe == baseline}
    for recipe in recipes:
        own = [one for one in trials if one.recipe == recipe]
        if own:
            before, after = {one.seed: one.before for one in own}, {one.seed: one.after for one in own}
            shifts = [one.shift for one in own if one.shift is not None]
            as_trained = _row(recipe, AS_TRAINED, before, {} if recipe == baseline else against)
            rows += [replace(as_trained, shift=_shift_spreads(shifts)), _row(recipe, AUGDELETED, after, against)]
    return rows


def _row(
    recipe: str, head: Literal["as trained", "AugDelete"], by_seed: Mapping[int, Figures], baseline: Mapping[int, Figures]
) -> Row:
    figures = list(by_seed.values())
    pairs = [(own, baseline[seed]) for seed, own in by_seed.items() if seed in baseline]
    return Row(
        recipe=recipe,
        head=head,
        accuracy=spread_of([one.accuracy for one in figures]),
        accuracy_gain=_gain([(own.accuracy, other.accuracy) for own, other in pairs]),
        aurocs=_spreads([one.aurocs for one in figures]),
        fpr95_ood=_spreads([one.fpr95_ood for one in figures]),
        gain=_gains([(own.aurocs, other.aurocs) for own, other in pairs]),
        shift=None,
    )


def _gains(pairs: Sequence[tuple[ByScorer, ByScorer]]) -> dict[str, Gain] | None:
    """By scorer; one that gave no scores on either side of a pair has one pair less. None without a pair."""
    found = {}
    for scorer in _keys([one for pair in pairs for one in pair]):
        both = [(own[scorer][MEAN], other[scorer][MEAN]) for own, other in pairs if scorer in own and scorer in other]
        if (gain := _gain(both)) is not None:
            found[scorer] = gain
    return found or None


def _gain(pairs: Sequence[tuple[float, float]]) -> Gain | None:
    return paired_gain([own for own, _ in pairs], [other for _, other in pairs]) if pairs else None


def _spreads(figures: Sequence[ByScorer]) -> dict[str, dict[str, Spread]]:
    return {
        scorer: {
            name: spread_of([one[scorer][name] for one in figures if name in one.get(scorer, {})])
            for name in _keys([one.get(scorer, {}) for one in figures])
        }
        for scorer in _keys(figures)
    }


def _shift_spreads(shifts: Sequence[Mapping[str, Mapping[str, float | None]]]) -> dict[str, Spread] | None:
    """By OOD set; without the sets of which no seed has a ratio."""
    found = {name: [ratio for one in shifts if (ratio := one[name]["ratio"]) is not None] for name in _keys(shifts)}
    return {name: spread_of(ratios) for name, ratios in found.items() if ratios} if shifts else None


def _shift(trial: Trial, baseline: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    model = trial.before.max_logits
    r_id = decrease_of(baseline["id"], model["id"])
    found: dict[str, dict[str, float | None]] = {}
    for name in [name for name in model if name != "id"]:
        r_ood = decrease_of(baseline[name], model[name])
        found[name] = {"r_id": r_id, "r_ood": r_ood, "ratio": ratio_of(r_id, r_ood)}
    return found


def _keys(mappings: Sequence[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(key for one in mappings for key in one))
