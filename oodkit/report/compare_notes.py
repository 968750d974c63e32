"""What is to be said of a comparison beside its figures: what else differs between the runs, and what that means for the tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.report.compare_models import ComparedModel
from oodkit.report.remarks import doubt_of

RUN_SETTINGS = ("preset", "seed", "device", "dtype")
ASKED = ("benchmark", "limit", "tune_benchmark")
LEARNT_FROM = ("fit", "val", "tune")


def differing_settings(scorers: Sequence[str], models: Sequence[ComparedModel]) -> list[dict[str, Any]]:
    """Where a scorer is not the same thing in all models: the setting, and its value in each."""
    return [
        {"scorer": scorer, "setting": name, "values": values}
        for scorer in scorers
        for name, values in _differing(models, [model.settings(scorer) for model in models])
    ]


def differing_inputs(models: Sequence[ComparedModel]) -> list[dict[str, Any]]:
    """Where the runs were not set up alike: what it is, and its value in each. How images are fed only where weights are alike."""
    told, read = [], [name for name in models[0].read if all(name in model.read for model in models)]
    for model in models:
        document, settings = model.document, model.document["settings"]
        asked = {name: settings[name] for name in RUN_SETTINGS}
        asked |= {name: document["inputs"]["sets"][name] for name in ASKED}
        asked |= {f"images of {'ID' if name == 'id' else name}": model.read[name]["n"] for name in read}
        told.append({**asked, **_learnt_from(model, models), **_fed(model, models)})
    return [{"input": name, "values": values} for name, values in _differing(models, told)]


def left_out(models: Sequence[ComparedModel], sets: Sequence[str], scorers: Sequence[str]) -> list[dict[str, str]]:
    """What only some models have, and what keeps the others from having it."""
    found = []
    for kind, common, has in (
        ("set", sets, {model.key: list(model.groups) for model in models}),
        ("scorer", scorers, {model.key: list(model.scores) for model in models}),
    ):
        for name in dict.fromkeys(one for own in has.values() for one in own if one not in common):
            lacking = [model for model in models if name not in has[model.key]]
            why = "; ".join(f"{model.key}: {model.why_not(kind, name)}" for model in lacking)
            found.append({"kind": kind, "name": name, "why": why})
    return found


def notes_on(models: Sequence[ComparedModel], sets: Sequence[str], inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be said of each model but the first: of its images, its classes, the groups of its sets, and its weights."""
    first = models[0]
    return [note for model in models[1:] for note in (*_images(model, first, sets), *_task(model, first, sets, inputs))]


def doubts_on(models: Sequence[ComparedModel], scorers: Sequence[str], ood_set: str) -> list[str]:
    """Of which models a scorer's figures say nothing, and why: its diagnosis says so too. ood_set: any that all have."""
    found: dict[tuple[str, str], list[str]] = {}
    for scorer in scorers:
        for model in models:
            if why := doubt_of(model.rows[scorer, ood_set]):
                found.setdefault((scorer, why), []).append(model.key)
    return [f"{scorer} is in doubt in {', '.join(keys)}: {why}" for (scorer, why), keys in found.items()]


def _images(model: ComparedModel, first: ComparedModel, sets: Sequence[str]) -> list[str]:
    unlike = [name for name in sets if not model.same_images(first, name)]
    apart = "" if not unlike else f"; nor those of {', '.join(unlike)}"
    both = f"{first.key} and {model.key}"
    if not model.same_images(first, "id"):
        ids = ", ".join(f"{one.key} {one.facts['n_id']} of {one.facts['id_set']}" for one in (first, model))
        what = f"{both} did not read the same ID images ({ids}){apart}"
        return [f"{what}: these count as independent, and differences may be the images' as much as the models'"]
    notes = []
    if unlike:
        notes.append(
            f"{both} did not read the same images of {', '.join(unlike)}: there, and in the means over them, these images count as "
            "independent; the ID images and those of the other sets are compared one by one"
        )
    if lacking := [one for one in (first, model) if one.correct is None]:
        which = " and ".join(dict.fromkeys(one.run for one in lacking))
        what = f"which ID images were classified correctly is not stored in {which}"
        notes.append(f"{what}: for the accuracies of {both} they count as independent")
    return notes


def _task(model: ComparedModel, first: ComparedModel, sets: Sequence[str], inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    classes, before = (one.facts["num_classes"] for one in (model, first))
    if classes != before:
        notes.append(f"{model.key} tells {classes} classes apart, {first.key} {before}: not the same task")
    for own, taken in (("near", "far"), ("far", "near")):
        if moved := [name for name in sets if (model.groups[name], first.groups[name]) == (own, taken)]:
            notes.append(f"{', '.join(moved)}: {own} in {model.key}, taken as {taken}, as in {first.key}")
    if model.same_weights(first):
        alike = all(one["values"][model.key] == one["values"][first.key] for one in inputs)
        notes.append(f"{model.key} has the very weights of {first.key}{', and its run was set up alike' if alike else ''}")
    return notes


def _differing(models: Sequence[ComparedModel], told: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The names whose values are not all equal, with the values by model; None where a model has none."""
    found = []
    for name in dict.fromkeys(key for one in told for key in one):
        values = [one.get(name) for one in told]
        if any(value != values[0] for value in values):
            found.append((name, {model.key: value for model, value in zip(models, values, strict=True)}))
    return found


def _learnt_from(model: ComparedModel, models: Sequence[ComparedModel]) -> dict[str, Any]:
    """The sets to learn from and to choose settings on, where they are other images: how they are spelled moves nothing."""
    found: dict[str, Any] = {}
    for role in LEARNT_FROM:
        every = [[one for one in each.document["sets"] if one["role"] == role] for each in models]
        prints = {tuple((one["fingerprint"], one["read"]) for one in own) for own in every}
        texts = {_spelled(own) for own in every}
        if len(prints) > 1:
            found[role] = _spelled(every[models.index(model)], with_print=len(texts) < len(prints))
    return found


def _spelled(sets: Sequence[Mapping[str, Any]], *, with_print: bool = False) -> str | None:
    """``721 of demo:digits:train``; with the beginning of each set's fingerprint where that alone tells them apart."""
    ends = [f", files {one['fingerprint'][:8]}" if with_print else "" for one in sets]
    return "; ".join(f"{one['read']} of {one['spec']}{end}" for one, end in zip(sets, ends, strict=True)) or None


def _fed(model: ComparedModel, models: Sequence[ComparedModel]) -> dict[str, Any]:
    if not all(one.same_weights(models[0]) for one in models):
        return {}
    return {f"preprocessing: {name}": value for name, value in model.told["facts"]["preprocessing"].items()}
