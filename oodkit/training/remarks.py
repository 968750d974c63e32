"""What is to be said of a training before it begins: what its images, its batches and its recipe lead to."""

import numpy as np

from oodkit.errors import UnreadableImageError
from oodkit.images.base import ImageSet
from oodkit.training.draws import Draws
from oodkit.training.networks import Built
from oodkit.training.recipes.base import Recipe
from oodkit.training.settings import SMALL
from oodkit.wording import counted, percent, printable

WEIGHTS_MARK = {"timm": ".", "torchvision": "/"}  # before the name of weights, in that of a model


def of_mixing(alpha: float, *, naive: bool) -> list[str]:
    """Of synthetic images beside the real ones, alpha the share of these; naive: where that of the two sets was asked for."""
    if naive:
        found = "the authors of SIO find that this harms, and that 80 to 90 % help"
        return [f"naive mixing: {percent(alpha)} of each batch are real images, as if both sets were poured together; {found}"]
    return ["with alpha 1 no synthetic image is drawn: this is plain training"] if alpha == 1 else []


def of_weights(arch: str, architecture: str) -> list[str]:
    """Of an architecture that was asked for by the name of weights: ``resnet18.a1_in1k``, ``torchvision:resnet18/DEFAULT``."""
    library, _, _ = architecture.partition(":")
    if WEIGHTS_MARK[library] not in arch:
        return []
    name = printable(arch)
    return [f"the weights of {name} are not loaded: training begins from random ones; oodkit finetune {name} begins from them"]


def of_images(data: ImageSet, labels: np.ndarray, built: Built) -> list[str]:
    """labels: in the class order that is trained."""
    remarks = _of_size(data, built)
    if empty := built.num_classes - len(np.unique(labels)):
        what = "has no training images: it" if empty == 1 else "have no training images: they"
        remarks.append(f"{empty} of {built.num_classes} classes {what} will never be predicted")
    return remarks


def of_batches(draws: Draws, images: int) -> list[str]:
    """Where a step holds more images than there are. images: the real ones."""
    times = draws.real_per_step / images
    if times <= 1:
        return []
    each = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    held = f"a batch of {draws.real_per_step} holds each of the {counted(images, 'image', 'images')} about {each} times"
    return [f"{held}; a --batch-size of at most {images} makes more steps of an epoch"]


def of_head(recipe: Recipe, val: ImageSet | None) -> list[str]:
    """Of a recipe that leaves the last layer untrained."""
    if recipe.trains_head:
        return []
    told = f"{recipe.name} trains no last layer, so that no network is kept as the best; AugDelete makes the layer at the end"
    return [] if val is None else [told]


def _of_size(data: ImageSet, built: Built) -> list[str]:
    try:
        width, height = data.load(0).size
    except UnreadableImageError:
        return []
    side = built.input_size[-1]
    small = max(width, height)
    if small > SMALL or side < 2 * small:
        return []
    return [f"images of {width} × {height} pixels are enlarged to {side} × {side}; --input-size {small} takes far less time"]
