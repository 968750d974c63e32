"""The network that is trained: built anew, or a classifier's with its weights, with all that its file will say of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from oodkit.classifier import Classifier
from oodkit.errors import CheckpointError, InputError, UsageError
from oodkit.heads import find_head
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.models import from_file
from oodkit.models.adapted import SMALL_STEM, has_stem, is_normalised, small_stem
from oodkit.models.base import Options, Size, Transform, full_size
from oodkit.models.state import misfits
from oodkit.training.settings import SMALL

Stem = Literal["auto", "small", "own"]
STEMS: tuple[Stem, ...] = ("auto", "small", "own")
CROP_PCT = 0.875  # of larger images, as torchvision's references and OpenOOD evaluate


@dataclass
class Built:
    """A network and what ``save_network`` writes of it.

    architecture: ``timm:NAME`` or ``torchvision:NAME``. stem: "small" where the stem was made for small images. head: the names of
    the layers whose outputs are the logits, several where their mean is. transform, input_size, preprocessing: those of evaluation,
    as ``Classifier`` has them. options: what the file will say of its making. notes: what is to be told of it.
    """

    net: nn.Module
    architecture: str
    stem: Literal["small", "own"]
    head: tuple[str, ...]
    num_classes: int
    num_features: int
    transform: Transform
    input_size: Size
    preprocessing: Mapping[str, Any]
    options: Options
    class_names: tuple[str, ...] | None = None
    class_ids: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)


def build(
    arch: str,
    *,
    num_classes: int,
    input_size: int | Sequence[int] | None = None,
    stem: Stem = "auto",
    model_args: Mapping[str, Any] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
) -> Built:
    """An untrained network of a timm name, ``timm:NAME`` or ``torchvision:NAME``; a name that both libraries have is timm's.

    input_size: see ``load_classifier``; None = the architecture's own. stem: "small" see ``small_stem``; "auto" = small for sides up to
    64 where the network has such a stem. mean, std: None = the architecture's. seed: of the initial weights; torch's generators are
    afterwards as before.

    Raises ModelNotFoundError for an unknown name, UsageError for arguments that don't fit it, UnsupportedModelError where images of
    that size can't be processed or no linear head makes the logits.
    """
    raise NotImplementedError


def adopt(model: Classifier, images: ImageSet, *, seed: int = 0) -> Built:
    """The network of a classifier with its weights, to be trained further on ``images``.

    Where all classes of the images are the model's, its last layer stays; else it gets a fresh one, drawn by ``seed``, with a class
    for each of theirs, which a note tells. The network is the classifier's own: training changes it. Raises UsageError for one that
    neither timm nor torchvision builds, whose file could not be loaded again.
    """
    raise NotImplementedError
