"""A training run, from the name of an architecture and image sets to a folder with a trained network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from oodkit.classifier import Classifier
from oodkit.images.base import ImageSet
from oodkit.training.recipes.base import Recipe

TRAINING = "training.json"
MODEL = "model.safetensors"
BEFORE = "before.safetensors"


def train(  # noqa: PLR0913 (one argument an option)
    arch: str | Classifier,
    data: ImageSet,
    *,
    output: str | Path,
    recipe: str | Recipe = "v1",
    val: ImageSet | None = None,
    synthetic: ImageSet | None = None,
    alpha: float | Literal["naive"] | None = None,
    outliers: ImageSet | None = None,
    mixing: ImageSet | None = None,
    input_size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    stem: Literal["auto", "small", "own"] = "auto",
    model_args: Mapping[str, Any] | None = None,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Any = None,
    **settings: Any,
) -> Classifier:
    """Train a network from scratch, or go on from a classifier's weights, and load what came of it.

    arch: a timm name or ``torchvision:NAME``, or a Classifier whose weights are the start. settings: fields of
    ``oodkit.training.settings.Settings`` (epochs, batch_size, lr, …, augdelete, seed); what is not given is the recipe's
    ``trained_with``, or else the default.

    The folder ``output`` gets training.json, log.jsonl, last.safetensors, best.safetensors (with ``val``), model.safetensors and,
    after AugDelete, before.safetensors. The same call goes on with an unfinished run; of a finished one it loads the result.
    """
    raise NotImplementedError
