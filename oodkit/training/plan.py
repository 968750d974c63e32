"""What is to be trained, checked and settled before anything is: network, recipe, numbers and image sets."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from oodkit.classifier import Classifier
from oodkit.errors import ImageSetError, UsageError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.models import SOURCES
from oodkit.models.state import SUFFIXES
from oodkit.processes import world_size
from oodkit.specs import checked_settings
from oodkit.training import remarks
from oodkit.training.augment import seeded_weights
from oodkit.training.draws import draws_of, share_of_pool
from oodkit.training.learner import linear_head
from oodkit.training.networks import Built, Stem, adopt, build
from oodkit.training.pools import Pool, count_classes, outlier_pool, real_pool, synthetic_pool, trained_labels
from oodkit.training.recipes import Recipe, parse_recipe
from oodkit.training.set_checks import fingerprints_of
from oodkit.training.settings import Settings, defaults_for
from oodkit.wording import counted, printable

ALPHA = 0.8  # SIO's for CIFAR (arXiv:2303.14531, section 4)
FINETUNING = {"epochs": 10, "lr": 0.01}
ADAMW = {"lr": 1e-3, "weight_decay": 0.05}  # a learning rate of SGD's size leaves a network at chance
ADAMW_FINETUNING = {"lr": 1e-4}
NO_VAL = "no validation images were given, so that no accuracy is told: --val SET"
WARMED_UP = 0.1  # the largest part of a training that a recipe's own warm-up may take

Alpha = float | Literal["naive"] | None


@dataclass(frozen=True)
class Sets:
    """The image sets of a training, by the names of the options."""

    data: ImageSet
    val: ImageSet | None = None
    synthetic: ImageSet | None = None
    outliers: ImageSet | None = None
    mixing: ImageSet | None = None

    def given(self) -> dict[str, ImageSet]:
        return {name: images for name, images in vars(self).items() if images is not None}


@dataclass(frozen=True)
class Shape:
    """How a network is built; None = the architecture's own."""

    input_size: int | Sequence[int] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    stem: Stem = "auto"
    model_args: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """A training that can begin.

    built: its network is as the recipe trains it. start: the classifier whose weights, those of its last layer too, it starts from;
    it stays as it is. asked: all that decides what comes of it, as JSON has it: by this a run of before is known again. notes:
    what is to be said.
    """

    built: Built
    start: Classifier | None
    recipe: Recipe
    settings: Settings
    sets: Sets
    real: Pool
    val: Pool | None
    synthetic: Pool | None
    outliers: Pool | None
    naive: bool
    asked: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def side(self) -> int:
        """Of the images that the network sees, in pixels."""
        return self.built.input_size[-1]

    @property
    def head(self) -> str:
        """The name of the last layer; none where the mean of several layers' is the logits."""
        return _only_head(self.built)


def plan(start: str | Classifier, sets: Sets, recipe: str | Recipe, alpha: Alpha, shape: Shape, given: Mapping[str, Any]) -> Plan:
    """Settle a training. start: an architecture, or a classifier whose weights are the start. given: fields of ``Settings``.

    Raises UsageError, ImageSetError, ModelNotFoundError or UnsupportedModelError, in one line, for what can't be trained.
    """
    recipe = parse_recipe(recipe) if isinstance(recipe, str) else recipe
    checked = _checked(given)
    fingerprints = fingerprints_of(sets.given(), recipe)
    seed = int(checked.get("seed", 0))
    built = _adopted(start, sets.data, shape, seed) if isinstance(start, Classifier) else _built(start, sets.data, shape, seed)
    labels, note = align_labels(sets.data, built.class_names, built.class_ids, built.num_classes)
    real, notes = real_pool(sets.data, labels), [*built.notes, *([note] if note else [])]
    val = _val_pool(sets.val, built, notes)
    synthetic = None
    if sets.synthetic is not None:
        synthetic, said = synthetic_pool(sets.synthetic, built.class_names, built.num_classes, built.class_ids)
        notes += said
    share = _alpha(alpha, len(real), None if synthetic is None else len(synthetic))
    settings = _settled(recipe, built.input_size[-1], share, checked, notes, finetuning=isinstance(start, Classifier))
    if alpha == "naive":
        settings = replace(settings, alpha=_of_both(settings.alpha, settings.batch_size))
    if not (recipe.trains_head or settings.augdelete):
        raise UsageError(f"{recipe.name} trains no last layer, and without AugDelete the network answers at random; let it refit")
    draws = draws_of(settings, real, synthetic, sets.outliers, world=world_size())
    notes += remarks.of_weights(start, built.architecture) if isinstance(start, str) else []
    notes += [*remarks.of_images(sets.data, labels, built), *remarks.of_batches(draws, len(real))]
    notes += remarks.of_mixing(settings.alpha, naive=alpha == "naive") if synthetic is not None else []
    notes += [*remarks.of_head(recipe, sets.val), *([NO_VAL] if sets.val is None else [])]
    _adapt(built, recipe, seed)
    return Plan(
        built,
        start if isinstance(start, Classifier) and _answers_alike(built, start) else None,
        recipe,
        settings,
        sets,
        real,
        val,
        synthetic if share < 1 else None,
        None if sets.outliers is None else outlier_pool(sets.outliers),
        alpha == "naive",
        _asked(start, built, recipe, settings, sets, fingerprints, shape),
        tuple(notes),
    )


def _asked(
    start: str | Classifier,
    built: Built,
    recipe: Recipe,
    settings: Settings,
    sets: Sets,
    fingerprints: Mapping[str, str],
    shape: Shape,
) -> Any:
    """All that decides what comes of the training, as JSON has it."""
    asked = {
        "start": {"model": start.name, "weights": start.weights_hash()} if isinstance(start, Classifier) else built.architecture,
        "recipe": recipe.spec(),
        "recipe_settings": recipe.settings(),
        "settings": asdict(settings),
        "sets": {name: {"spec": one.spec, "fingerprint": fingerprints[name]} for name, one in sets.given().items()},
        "classes": built.num_classes,
        "input_size": built.input_size,
        "mean": built.preprocessing["mean"],
        "std": built.preprocessing["std"],
        "stem": built.stem,
        "model_args": dict(shape.model_args or {}),
        "processes": world_size(),
    }
    return json.loads(json.dumps(asked, default=str))


def _adapt(built: Built, recipe: Recipe, seed: int) -> None:
    """Change the network, in place, as the recipe trains it. Raises UsageError or UnsupportedModelError where that can't be."""
    if recipe.needs_linear_head:
        linear_head(built.net, _only_head(built))
    with seeded_weights(seed):
        recipe.adapt(built.net, _only_head(built), built.num_classes)


def _only_head(built: Built) -> str:
    return built.head[0] if len(built.head) == 1 else ""


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, each of its type. Raises UsageError, with near names, for one that there is not."""
    if "alpha" in given:
        raise UsageError("alpha is no setting of training by itself: it is given beside synthetic images")
    return checked_settings("training", {"training": Settings}, "training", given)


def _require_architecture(arch: str) -> None:
    """Raise UsageError for the name of a network with weights of its own, where training begins from random ones."""
    scheme, separator, _ = arch.partition(":")
    if (separator and scheme in SOURCES and scheme != "torchvision") or Path(arch).suffix.lower() in SUFFIXES:
        name = printable(arch)
        rule = "train builds a network anew by the name of an architecture, timm's or torchvision's"
        raise UsageError(f"{name} is a network with its weights, and {rule}; oodkit finetune {name} begins from them")


def _built(arch: str, data: ImageSet, shape: Shape, seed: int) -> Built:
    _require_architecture(arch)
    built = build(arch, num_classes=count_classes(data), seed=seed, **vars(shape))
    return _square(replace(built, class_names=data.class_names))


def _adopted(model: Classifier, data: ImageSet, shape: Shape, seed: int) -> Built:
    if said := [name for name, value in vars(shape).items() if value not in (None, "auto", {})]:
        raise UsageError(f"{model.name} has its own {said[0]}; give it to load_classifier, or leave it out")
    return _square(adopt(replace(model, net=copy.deepcopy(model.net)), data, seed=seed))


def _answers_alike(built: Built, start: Classifier) -> bool:
    """Whether the network has the classes of the classifier, and so its last layer."""
    return (built.num_classes, built.class_names) == (start.num_classes, start.class_names)


def _square(built: Built) -> Built:
    channels, height, width = built.input_size
    if (channels, height) != (3, width):
        got = f"{built.architecture} takes {channels} × {height} × {width}"
        raise UsageError(f"training takes square images of three channels, {got}; give another --input-size")
    return built


def _val_pool(val: ImageSet | None, built: Built, notes: list[str]) -> Pool | None:
    if val is None:
        return None
    labels, note = trained_labels(val, built.class_names, built.num_classes, built.class_ids)
    known = labels >= 0
    if not known.any():
        raise ImageSetError(f"no image of {val.spec}, given as --val, has one of the classes that are trained; check its classes")
    notes += [note] if note else []
    if not known.all():
        left_out = counted(int((~known).sum()), "image is", "images are")
        notes.append(f"{val.spec}: of {len(val)} images {left_out} of no class that is trained and left out")
    return Pool(val, labels)


def _alpha(alpha: Any, real: int, synthetic: int | None) -> float:
    if synthetic is None:
        if alpha is not None:
            raise UsageError(
                f"alpha {alpha} is the share of real images beside synthetic ones: give --synthetic SET, or leave it out"
            )
        return 1.0
    if alpha == "naive":
        return share_of_pool(real, synthetic)
    share = ALPHA if alpha is None else alpha
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise UsageError(f"alpha is the share of real images in each batch, above 0 and at most 1, or naive; got {alpha}")
    return float(share)


def _of_both(share: float, batch_size: int) -> float:
    """The share, or the nearest with which a batch has a real image and a synthetic one."""
    return min(max(share, 1 / batch_size), 1 - 1 / batch_size)


def _settled(recipe: Recipe, side: int, alpha: float, given: Mapping[str, Any], notes: list[str], *, finetuning: bool) -> Settings:
    """What the user said; where nothing, what belongs to AdamW; to fine-tuning; to the recipe; then the defaults."""
    taken = {**defaults_for(side), **recipe.trained_with, **(FINETUNING if finetuning else {})}
    if given.get("optimizer") == "adamw":
        taken |= {**ADAMW, **(ADAMW_FINETUNING if finetuning else {})}
        if "weight_decay" in recipe.trained_with and "weight_decay" not in given:
            own, decay = recipe.trained_with["weight_decay"], taken["weight_decay"]
            notes.append(
                f"the weight decay of {recipe.name}, {own:g}, is for sgd: adamw takes {decay:g}; --weight-decay sets another"
            )
    taken |= given
    longest = WARMED_UP * taken.get("epochs", Settings.epochs)
    if "warmup" not in given and (own := taken.get("warmup", 0.0)) > longest:
        taken["warmup"] = longest
        notes.append(f"the learning rate rises for {longest:g} epochs, a tenth of all, and not for {own:g} as {recipe.name} has it")
    return Settings(**taken, alpha=alpha)
