"""The recipes: one file each. ``RECIPES`` is the only list."""

from typing import Any

from oodkit import specs
from oodkit.errors import UsageError
from oodkit.training.recipes.augmix import AugMix
from oodkit.training.recipes.augrevise import AugRevise
from oodkit.training.recipes.base import Recipe
from oodkit.training.recipes.cutmix import CutMix
from oodkit.training.recipes.godin import GODIN
from oodkit.training.recipes.label_smoothing import LabelSmoothing
from oodkit.training.recipes.logitnorm import LogitNorm
from oodkit.training.recipes.mixup import Mixup
from oodkit.training.recipes.mos import MOS
from oodkit.training.recipes.npos import NPOS
from oodkit.training.recipes.outlier_exposure import OutlierExposure
from oodkit.training.recipes.pixmix import PixMix
from oodkit.training.recipes.randaugment import RandAugment
from oodkit.training.recipes.random_erasing import RandomErasing
from oodkit.training.recipes.regmixup import RegMixup
from oodkit.training.recipes.t2fnorm import T2FNorm
from oodkit.training.recipes.trivial_augment import TrivialAugment
from oodkit.training.recipes.v1 import V1
from oodkit.training.recipes.v2 import V2
from oodkit.training.recipes.vos import VOS

__all__ = ["RECIPES", "Recipe", "make_recipe", "parse_recipe"]

_ALL: tuple[type[Recipe], ...] = (
    V1,
    LabelSmoothing,
    RandomErasing,
    TrivialAugment,
    Mixup,
    CutMix,
    V2,
    RegMixup,
    AugMix,
    RandAugment,
    LogitNorm,
    T2FNorm,
    PixMix,
    OutlierExposure,
    VOS,
    GODIN,
    MOS,
    NPOS,
    AugRevise,
)
RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in _ALL}


def make_recipe(name: str, **settings: Any) -> Recipe:
    """A training recipe by its name, with its hyper-parameters where they are not to be the defaults.

    Raises UsageError for an unknown recipe or setting, or an impossible value.
    """
    given = specs.checked_settings(name, RECIPES, "recipe", settings)
    return RECIPES[name](**given)


def parse_recipe(spec: str) -> Recipe:
    """The recipe of a spec like ``v1`` or ``mixup:alpha=1.0``. Raises UsageError as ``make_recipe``, and for several recipes."""
    if "," in spec.partition(":")[0]:
        raise UsageError(f"{spec!r} names several recipes, and a training has one; oodkit ablate --recipes takes several")
    name, settings = specs.read_spec(spec, RECIPES, "recipe", "mixup:alpha=1.0")
    return RECIPES[name](**settings)
