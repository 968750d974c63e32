"""Published figures, in ``published.csv`` beside this file, and which of them are of a given model.

A row is one figure. benchmark: oodkit's name of it. model: a plain name. architecture: names of it, and weights: names under which
torchvision and timm have these very weights, each separated by blanks; no weights where none are known to be the same. method:
how it was trained, ``standard`` where nothing was done for OOD detection. printed, scorer: the scorer's name in the source and in
oodkit, empty where oodkit has none; both empty for an accuracy. ood_set: a set or a mean. metric: ``auroc``, ``fpr95_ood`` or
``accuracy``. percent: as printed. source: a key of SOURCES, and place: the table in it, empty where it has but one.

The reproductions of AugDelete by others are left out: their means are over other sets (imagenet_o and dtd among them).
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

STANDARD = "standard"
OPENOOD = "OpenOOD v1.5 leaderboard"
SOURCES = {
    OPENOOD: "Zhang et al., arXiv:2306.09301: zjysteven/OpenOOD, results/*.csv, July 2025",
    "kai422/SCALE": "Xu et al., arXiv:2310.00227: kai422/SCALE, results/",
    "Xiong et al. 2025": "Diagnosing Pretrained Models for Out-of-distribution Detection, ICCV 2025, pp. 1836-1845",
}
FEATURES = {  # that the head of an architecture takes, by its name in torchvision and timm
    "resnet18": 512,
    "resnet50": 2048,
    "swin_t": 768,
    "swin_tiny_patch4_window7_224": 768,
    "vit_b_16": 768,
    "vit_base_patch16_224": 768,
    "regnet_y_16gf": 3024,
    "regnety_160": 3024,
}


@dataclass(frozen=True)
class Figure:
    """One published figure; the module's docstring tells the fields. value: a fraction in [0, 1]."""

    benchmark: str
    model: str
    architecture: tuple[str, ...]
    weights: tuple[str, ...]
    method: str
    printed: str
    scorer: str
    ood_set: str
    metric: str
    percent: float
    source: str
    place: str
    note: str

    @property
    def value(self) -> float:
        """The figure as a fraction."""
        return round(self.percent / 100, 6)

    @property
    def entry(self) -> tuple[str, str, str]:
        """Whose figure it is: model, method and source."""
        return self.model, self.method, self.source


@cache
def published_figures() -> tuple[Figure, ...]:
    """Every figure there is."""
    text = files("oodkit.report").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(_figure(row) for row in csv.DictReader(text.splitlines()))


def figures_of(name: str, facts: Mapping[str, Any], benchmark: str | None) -> tuple[bool, list[Figure]]:
    """Whether the figures are of these very weights, and the figures, none where none are known.

    name: the model's. facts: what is known of it (architecture, source, num_features, model_args). Weights with a name have the
    figures of that name and no others. A file or a folder has those of its architecture, which says nothing of the weights: of one
    of torchvision or timm, by its name, whose head takes as many features. What a function is called says nothing of its network.
    """
    rows = [one for one in published_figures() if one.benchmark == benchmark]
    plain = name.removeprefix("hf-hub:timm/")
    if same := [one for one in rows if plain in one.weights]:
        return True, same
    is_file = facts.get("source") == "file" or (facts.get("source") == "timm" and ":" in plain)
    own = re.split(r"[./]", str(facts.get("architecture", "")).removeprefix("torchvision:"))[0]
    as_built = set(facts.get("model_args") or {}) <= {"num_classes"} and facts.get("num_features") == FEATURES.get(own)
    return False, [one for one in rows if is_file and as_built and own in one.architecture]


def known_weights(benchmark: str | None = None) -> list[str]:
    """The names of weights that there are figures of, on one benchmark or on any; those of torchvision."""
    found = (one.weights[0] for one in published_figures() if one.weights and benchmark in {None, one.benchmark})
    return list(dict.fromkeys(found))


def known_architectures(benchmark: str) -> list[str]:
    """The architectures of torchvision and timm that there are figures of on a benchmark; OpenOOD's for CIFAR are in neither."""
    names = (name for one in published_figures() if one.benchmark == benchmark for name in one.architecture)
    return [name for name in dict.fromkeys(names) if name in FEATURES]


def _figure(row: dict[str, str]) -> Figure:
    names = {key: tuple(row.pop(key).split()) for key in ("architecture", "weights")}
    return Figure(**row | names | {"percent": float(row["percent"])})  # type: ignore[arg-type]  # a mapping of two kinds of values
