"""An ablation with everything in it that a report has to tell, its figures drawn by a seed."""

import json
from dataclasses import replace
from typing import Any

import numpy as np

from oodkit.ablation import BASELINE, Ablation, Failure, Figures, Trial
from oodkit.ablation.rows import rows_of, with_shifts
from oodkit.report.ablations import document_of_ablation

RECIPES = ("v1", "label-smoothing", "mixup:alpha=0.2", "cutmix", "trivial-augment", "random-erasing", "regmixup", "augrevise")
GROUPS = {"cifar100": "near", "tin": "near", "svhn": "far"}
SCORERS = ("mls", "knn")
SETTINGS = {"epochs": 100, "batch_size": 128, "lr": 0.1}


def figures_of(rng: np.random.Generator, quality: float, groups: dict[str, str], scorers: tuple[str, ...]) -> Figures:
    def one(scorer: str) -> dict[str, float]:
        level = 0.8 + 0.1 * quality + (0.02 if scorer == "knn" else 0)
        own = {name: float(np.clip(level + 0.05 * (group == "far") + rng.normal(0, 0.004), 0, 1)) for name, group in groups.items()}
        means = {
            f"{group} mean": float(np.mean([own[name] for name, its in groups.items() if its == group]))
            for group in dict.fromkeys(groups.values())
        }
        return {**own, **means, "mean": float(np.mean(list(means.values())))}

    aurocs = {scorer: one(scorer) for scorer in scorers}
    fprs = {scorer: {name: 1 - value for name, value in own.items()} for scorer, own in aurocs.items()}
    logits = {"id": 12 - 4 * (1 - quality) + rng.normal(0, 0.1), **dict.fromkeys(groups, 8 - 2 * (1 - quality))}
    return Figures(float(0.93 + 0.03 * quality + rng.normal(0, 0.002)), aurocs, fprs, logits)


def made(
    recipes: tuple[str, ...] = RECIPES,
    seeds: tuple[int, ...] = (0, 1, 2),
    groups: dict[str, str] = GROUPS,
    scorers: tuple[str, ...] = SCORERS,
    failures: tuple[Failure, ...] = (),
    notes: tuple[str, ...] = (),
    unlike: tuple[str, ...] = (),
) -> Ablation:
    """The k-th recipe is neither the best nor the worst by its place; AugDelete helps those of even places."""
    rng = np.random.default_rng(0)
    failed = {(one.recipe, one.seed) for one in failures}
    trials = []
    for place, recipe in enumerate(recipes):
        quality = float(np.sin(1.7 * place + 1))
        for seed in seeds:
            before = figures_of(rng, quality, groups, scorers)
            after = figures_of(rng, quality + (0.3 if place % 2 == 0 else -0.1), groups, scorers)
            if (recipe, seed) not in failed:
                trials.append(Trial(recipe, seed, f"{place}-seed{seed}", 61.5, before, after, None))
    shifted = with_shifts(trials, BASELINE, unlike)
    rows = rows_of(shifted, recipes, BASELINE)
    return Ablation(
        arch="resnet18",
        data="cifar10:train",
        baseline=BASELINE,
        recipes=recipes,
        seeds=seeds,
        scorers=scorers,
        groups=groups,
        trials=shifted,
        rows=rows,
        failures=failures,
        unlike=unlike,
        notes=notes,
    )


def document_of(ablation: Ablation, command: str = "oodkit ablate resnet18") -> dict[str, Any]:
    roles = {"train": "train", "cifar10": "id", **ablation.groups}
    sets = [
        {"name": name, "role": role, "spec": f"sets/{name}", "fingerprint": "00ff", "images": 40} for name, role in roles.items()
    ]
    return stored(document_of_ablation(ablation, command=command, settings=SETTINGS, sets=sets))


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """As it is read from a file again."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    return found


def hostile_document() -> dict[str, Any]:
    """In which every name from outside tries to get out of the page."""
    bad = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\u202e[red]"
    groups = {f"<b>{bad}": "near", f"svhn{bad}": "far"}
    recipes = ("v1", f"mixup:a={bad}", f"cutmix{bad}")
    failures = (Failure(recipes[2], 1, f"<script>alert(1)</script>{bad}"),)
    ablation = made(recipes, (0, 1, 2), groups, ("mls", f"knn:k={bad}"), failures, (f"a note {bad}",))
    return document_of(replace(ablation, arch=f"net{bad}", data=f"data{bad}"), command=f"oodkit ablate '{bad}'")
