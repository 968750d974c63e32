"""What is known of how public checkpoints were trained: ``recipe_facts.toml``, looked up by name. Unknown is an answer."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from importlib.resources import files
from typing import Any

Strength = float | str
LOSSES = {
    "ce": "cross-entropy",
    "bce": "binary cross-entropy",
    "jsd": "JSD with cross-entropy",
    "ce+mixup": "cross-entropy of plain images, and of mixed ones beside them",
}


@dataclass(frozen=True)
class Recipe:
    """A training recipe, as far as it is known.

    loss: "ce", "bce", "jsd", "ce+mixup" or "unknown". label_smoothing, mixup, cutmix: what stands in the place of plain labels, a
    number (alpha for the last two), 0 = absent, "yes" = used with a strength that is not stated, or "unknown". status: "stated",
    "default" of the training code, or "inferred". pair: the checkpoint of the same architecture with a plain recipe.
    """

    loss: str = "unknown"
    label_smoothing: Strength = "unknown"
    mixup: Strength = "unknown"
    cutmix: Strength = "unknown"
    evidence: str = ""
    status: str = ""
    pair: str | None = None

    @property
    def softeners(self) -> tuple[str, ...] | None:
        """What of the recipe softens the labels, in words: () where nothing does, None where that is not known.

        Softened labels shrink the maximal logit more on ID than on OOD images. Source: Xiong et al., Diagnosing Pretrained Models
        for Out-of-distribution Detection, ICCV 2025.
        """
        strengths = {"label smoothing": self.label_smoothing, "mixup": self.mixup, "cutmix": self.cutmix}
        used = {name: strength for name, strength in strengths.items() if strength not in {0, "unknown"}}
        if not used and "unknown" in strengths.values():
            return None
        return tuple(name if strength == "yes" else f"{name} {strength:g}" for name, strength in used.items())

    def __str__(self) -> str:
        loss = LOSSES.get(self.loss, self.loss)
        if self.softeners is None:
            return "unknown" if self.loss == "unknown" else f"{loss}, rest unknown ({self.status}: {self.evidence})"
        words = ", ".join(self.softeners) or f"no label smoothing{'' if 'mixup' in self.loss else ', mixup'} or cutmix"
        source = f" ({self.status}: {self.evidence})" if self.evidence else ""
        return f"{loss}, {words}{source}"


UNKNOWN = Recipe()


def recipe_of(name: str, stated: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of a model's name; of what its own file states, where that is given (``Classifier.about["recipe"]``)."""
    if stated is not None:
        own = {key: stated[key] for key in ("loss", "label_smoothing", "mixup", "cutmix") if key in stated}
        trained = f"recipe {stated['name']} of oodkit" if "name" in stated else "the checkpoint's own metadata"
        return Recipe(**own, evidence=trained, status="stated", pair=_found(name).pair)
    return _found(name)


def sibling_of(name: str) -> str | None:
    """The checkpoint of the same architecture with a plain recipe, where one is known: ``tv2`` → ``tv``, ``V2`` → ``V1``."""
    return _found(name).pair


@cache
def rows() -> tuple[tuple[str, Recipe], ...]:
    """Every pattern with its recipe, in the file's order; ``pair`` still has its ``*``."""
    table = tomllib.loads((files("oodkit") / "recipe_facts.toml").read_text("utf-8"))["recipe"]
    facts = [(row.pop("match"), Recipe(**row)) for row in table]
    return tuple((pattern, recipe) for patterns, recipe in facts for pattern in patterns)


def _found(name: str) -> Recipe:
    name = name.removeprefix("hf-hub:timm/")
    for pattern, recipe in rows():
        if re.match(translate(pattern), name):
            return recipe if recipe.pair is None else _paired(recipe, pattern, name)
    return UNKNOWN


def _paired(recipe: Recipe, pattern: str, name: str) -> Recipe:
    assert recipe.pair is not None
    before, _, after = pattern.partition("*")
    middle = name.removeprefix(before).removesuffix(after)
    return Recipe(**{**vars(recipe), "pair": recipe.pair.replace("*", middle)})
