"""An ablation before it begins: what is trained and judged, and which trials that a folder has are of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oodkit.ablation.checks import checked_recipes, checked_scorers, checked_seeds, require_usable
from oodkit.ablation.stored import TRIAL, folder_name, has_ended, stored_trial
from oodkit.ablation.trial import Images, Judge
from oodkit.errors import InputError, OodkitError, UsageError
from oodkit.training.plan import NO_VAL, Alpha, Plan, Sets, Shape, plan
from oodkit.training.recipes import parse_recipe

Key = tuple[str, int]


@dataclass(frozen=True)
class How:
    """How the networks are built and trained, as ``oodkit.train`` takes it. settings: fields of ``training.settings.Settings``,
    but for the seed.
    """

    shape: Shape = field(default_factory=Shape)
    alpha: Alpha = None
    device: str = "auto"
    workers: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensorboard: bool = False


@dataclass(frozen=True)
class AblationPlan:
    """An ablation that can begin. asked: by recipe and seed, in the order that they are made in, all that decides what comes of the
    trial, as JSON has it. notes: what is to be said of the recipes, each with its recipe.
    """

    arch: str
    recipes: Sequence[str]
    seeds: Sequence[int]
    images: Images
    how: How
    judge: Judge
    asked: Mapping[Key, Mapping[str, Any]]
    notes: Sequence[tuple[str, str]]


def plan_ablation(
    arch: str, recipes: Sequence[str], seeds: Sequence[int], images: Images, how: How | None = None, judge: Judge | None = None
) -> AblationPlan:
    """Settle an ablation: every recipe with every seed, seed by seed, the baseline always and first.

    recipes: specs such as ``mixup:alpha=1``. Raises UsageError, ImageSetError, ModelNotFoundError or UnsupportedModelError, in one
    line, for what can't be trained or judged.
    """
    how, judge = how or How(), judge or Judge()
    specs, seeds = checked_recipes(recipes), checked_seeds(seeds)
    judge = replace(judge, scorers=checked_scorers(judge.scorers))
    require_usable(images, specs)
    plans, tests = {spec: _plan(arch, spec, images, how) for spec in specs}, _tests(images)
    return AblationPlan(
        arch=arch,
        recipes=specs,
        seeds=seeds,
        images=images,
        how=how,
        judge=judge,
        asked={(spec, seed): _asked(plans[spec], seed, tests, judge) for seed in seeds for spec in specs},
        notes=[(spec, note) for spec in specs for note in _notes(plans[spec])],
    )


def with_finished(planned: AblationPlan, folder: Path, say: Callable[[str], None]) -> AblationPlan:
    """The same with the folder's finished trials of other recipes and seeds behind it, which are not made but read again.

    Only those that would be asked for today as they were then. say: called with a line for each of the others.
    """
    asked, notes, tests = dict(planned.asked), list(planned.notes), _tests(planned.images)
    for path in sorted(folder.glob(f"*/{TRIAL}")):
        try:
            key = has_ended(path.parent)
            if key is None or key in asked:
                continue
            own = _plan(planned.arch, key[0], planned.images, planned.how)
            today = _asked(own, key[1], tests, planned.judge)
            stored_trial(path.parent, today)
        except OodkitError as error:
            say(f"{path.parent.name} does not join the result: {error}")
        else:
            notes += [(key[0], note) for note in _notes(own) if key[0] not in dict(notes)]
            asked[key] = today
    return replace(
        planned,
        recipes=list(dict.fromkeys([*planned.recipes, *(recipe for recipe, _ in asked)])),
        seeds=[*planned.seeds, *sorted({seed for _, seed in asked} - set(planned.seeds))],
        asked=asked,
        notes=notes,
    )


def is_begun_in(folder: Path, planned: AblationPlan) -> bool:
    """Whether the folder holds trials of this ablation, and none that was asked for otherwise."""
    try:
        for key, asked in planned.asked.items():
            stored_trial(folder / folder_name(*key), asked)
    except (UsageError, InputError):
        return False
    return any((folder / folder_name(*key) / TRIAL).is_file() for key in planned.asked)


def sets_of(spec: str, sets: Sets) -> Sets:
    """Outliers and images to mix in go to the recipes that train with such, and to no other."""
    needs = parse_recipe(spec).needs
    return replace(sets, outliers=sets.outliers if "outliers" in needs else None, mixing=sets.mixing if "mixing" in needs else None)


def _plan(arch: str, spec: str, images: Images, how: How) -> Plan:
    return plan(arch, sets_of(spec, images.training), spec, how.alpha, how.shape, how.settings)


def _notes(own: Plan) -> list[str]:
    return [note for note in dict.fromkeys((*own.notes, own.recipe.note)) if note not in {NO_VAL, ""}]


def _tests(images: Images) -> dict[str, Any]:
    """What networks are judged on beside the training images, as JSON has it."""
    sets = {f"{images.groups.get(name, '')} {name}".strip(): one for name, one in images.judged_on().items() if name != "train"}
    return {name: {"spec": one.spec, "fingerprint": one.fingerprint()} for name, one in sets.items()}


def _asked(own: Plan, seed: int, tests: Mapping[str, Any], judge: Judge) -> dict[str, Any]:
    """All that decides what comes of a trial: what decides on its training, and what it is judged by."""
    settings = {**own.asked["settings"], "seed": seed, "scorers": list(judge.scorers)}
    return {**own.asked, "settings": settings, "sets": {**own.asked["sets"], **tests}}
