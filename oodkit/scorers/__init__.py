"""The scorers, one file a paper, and how to get one by its name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from oodkit import specs
from oodkit.errors import OodkitError, OutputsError, UsageError
from oodkit.head import Head
from oodkit.scorers.adascale import AdaScaleA, AdaScaleL
from oodkit.scorers.ash import AshB, AshP, AshS
from oodkit.scorers.base import FORMAT, Scorer
from oodkit.scorers.dice import Dice
from oodkit.scorers.ebo import Ebo
from oodkit.scorers.entropy import Entropy
from oodkit.scorers.fdbd import Fdbd
from oodkit.scorers.fsebo import Fsebo
from oodkit.scorers.gen import Gen
from oodkit.scorers.gmm import Gmm
from oodkit.scorers.gradnorm import GradNorm
from oodkit.scorers.klm import Klm
from oodkit.scorers.knn import Knn
from oodkit.scorers.mds import Mds
from oodkit.scorers.mds_plus_plus import MdsPlusPlus, RmdsPlusPlus
from oodkit.scorers.mls import Mls
from oodkit.scorers.msp import Msp
from oodkit.scorers.nci import Nci
from oodkit.scorers.neco import Neco
from oodkit.scorers.nnguide import NNGuide
from oodkit.scorers.odin import Odin
from oodkit.scorers.openmax import OpenMax
from oodkit.scorers.rankfeat import RankFeat
from oodkit.scorers.react import React
from oodkit.scorers.relation import Relation
from oodkit.scorers.residual import Residual
from oodkit.scorers.rmds import Rmds
from oodkit.scorers.scale import Scale
from oodkit.scorers.she import She
from oodkit.scorers.soundness import made_up_head, require_sound
from oodkit.scorers.temp_scaling import TempScaling
from oodkit.scorers.vim import Vim
from oodkit.scorers.vra import Vra
from oodkit.tensor_file import load_stored
from oodkit.wording import in_short

__all__ = [
    "PRESETS",
    "SCORERS",
    "Scorer",
    "load_scorer",
    "make_scorer",
    "one_pass_scorers",
    "parse_scorer",
    "read_spec",
    "unpack",
]

PRESETS = ("openood", "paper")

_ALL: tuple[type[Scorer], ...] = (
    Msp,
    Mls,
    Ebo,
    Entropy,
    Gen,
    GradNorm,
    TempScaling,
    Klm,
    OpenMax,
    React,
    Vra,
    AshB,
    AshP,
    AshS,
    Scale,
    Dice,
    Fsebo,
    She,
    Fdbd,
    Nci,
    Knn,
    NNGuide,
    Relation,
    Vim,
    Residual,
    Neco,
    Mds,
    Rmds,
    MdsPlusPlus,
    RmdsPlusPlus,
    Gmm,
    Odin,
    AdaScaleA,
    AdaScaleL,
    RankFeat,
)
SCORERS: dict[str, type[Scorer]] = {scorer.name: scorer for scorer in _ALL}


def one_pass_scorers() -> list[str]:
    """The names of those that live on one forward pass an image: they name no probe."""
    return [name for name, scorer in SCORERS.items() if scorer().probe() is None]


def make_scorer(name: str, preset: str = "openood", **settings: Any) -> Scorer:
    """An unfitted scorer. ``settings`` go over the preset's, which go over the fields' defaults.

    preset: ``"openood"``, the values of OpenOOD v1.5, or ``"paper"``, those of the publication. Raises UsageError for an unknown
    scorer, preset or setting, or an impossible value.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; there are {', '.join(PRESETS)}")
    given = specs.checked_settings(name, SCORERS, "scorer", settings)
    return SCORERS[name](**{**SCORERS[name].presets.get(preset, {}), **given})


def parse_scorer(spec: str, preset: str = "openood") -> Scorer:
    """The scorer of a spec like ``knn`` or ``knn:k=50,fraction=0.1``; ``none`` is None. Raises UsageError as ``make_scorer``."""
    name, settings = read_spec(spec)
    return make_scorer(name, preset, **settings)


def read_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings that a spec like ``knn:k=50`` gives. Raises UsageError for a name, setting or type unknown."""
    return specs.read_spec(spec, SCORERS, "scorer", "knn:k=50")


def load_scorer(path: str | Path) -> Scorer:
    """The scorer that ``Scorer.save`` wrote. Raises OutputsError where the file is missing, damaged or something else."""
    tensors, facts = load_stored(Path(path), "a scorer")
    if facts.get("format") != FORMAT:
        raise OutputsError(f"{path} is no oodkit scorer: its metadata has no format {FORMAT}")
    try:
        return unpack(tensors, facts)
    except OodkitError as error:
        raise OutputsError(f"can't read a scorer from {path}: {error}") from error


def unpack(tensors: Mapping[str, Tensor], facts: Mapping[str, str], head: Head | None = None) -> Scorer:
    """The scorer of what ``Scorer.packed`` gave, tried out on made-up features, and with ``head``, where there is one.

    Raises OodkitError where that is none, or what it learnt does not fit together or that head.
    """
    try:
        scorer = make_scorer(facts["scorer"], **json.loads(facts["settings"]))
        learnt, fitted_on, shape = (json.loads(facts[name]) for name in ("learnt", "fitted_on", "learnt_shape"))
        scorer.state = None if learnt is None else {name: tensors[name] for name in learnt}
        scorer.fitted_on = _count(fitted_on)
        scorer.learnt_shape = None if shape is None else (_count(shape[0]), _count(shape[1]))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise OutputsError(f"its metadata is not as it must be: {in_short(error)}") from error
    if (scorer.state is None) != (scorer.learnt_shape is None) or (scorer.state is not None and scorer.fits_on is None):
        raise OutputsError("its metadata is not as it must be: what it learnt, and of which shape, do not go together")
    if head is not None and scorer.learnt_shape not in {None, (head.num_features, head.num_classes)}:
        raise OutputsError(f"its scorer learnt from {scorer.learnt_shape} features and classes, not from its head's")
    if head is None and scorer.learnt_shape is not None:
        head = made_up_head(*scorer.learnt_shape)
    if head is not None and (scorer.fits_on is None or scorer.state is not None):
        require_sound(scorer, head)
    return scorer


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
