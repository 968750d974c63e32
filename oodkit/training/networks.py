"""The network that is trained: built anew, or a classifier's with its weights, with all that its file will say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from oodkit.classifier import Classifier
from oodkit.errors import InputError, UsageError
from oodkit.head import Head
from oodkit.heads import find_head
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.models import from_file
from oodkit.models.adapted import NORMALISED, SMALL_STEM, adapt, has_stem, small_stem
from oodkit.models.base import Options, Size, Transform, full_size
from oodkit.models.file_facts import file_facts
from oodkit.models.from_timm import known_tag
from oodkit.models.names import torchvision_names
from oodkit.models.state import misfits
from oodkit.training.augment import seeded_weights
from oodkit.training.pools import count_classes
from oodkit.training.settings import SMALL

Stem = Literal["auto", "small", "own"]
STEMS: tuple[Stem, ...] = ("auto", "small", "own")
CROP_PCT = 0.875  # of larger images, as torchvision's references and OpenOOD evaluate


@dataclass
class Built:
    """A network and what ``save_network`` writes of it.

    net: in training mode. architecture: ``timm:NAME`` or ``torchvision:NAME``. stem: "small" where it was made for small images.
    head: the names of the layers that make the logits, several where these are the mean of theirs. num_features: D, the entries of
    what they read. transform, input_size, preprocessing: those of evaluation, as ``Classifier`` has them. options: what the file
    says of its making. normalised: whether the last layer reads features of length 1. notes: what is to be told.
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
    normalised: bool = False
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

    input_size: see ``load_classifier``; None = what the architecture is trained at, which of many of timm's is smaller than what
    they are tested at. stem: "small" see ``small_stem``; "auto" = small for sides up to 64 where the network has such a stem. mean,
    std: None = the architecture's. seed: of the initial weights; torch's generator is afterwards as it was. Images with sides up to
    64 are evaluated whole, larger ones without their borders; all are resized bilinearly, as they are for training.

    Raises ModelNotFoundError for an unknown name, UsageError for arguments that don't fit it, UnsupportedModelError where images of
    that size can't be processed or no linear head makes the logits.
    """
    if stem not in STEMS:
        raise UsageError(f"no stem {stem!r}; choose from {', '.join(STEMS)}")
    if "num_classes" in (model_args or {}):
        raise UsageError("the network gets as many classes as the training images have; leave --model-arg num_classes out")
    kind, size = _kind(arch), full_size(input_size)
    options = Options(
        num_classes=num_classes,
        input_size=size,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        model_args=dict(model_args or {}),
    )
    with seeded_weights(seed):
        net = from_file.build(kind, options, num_classes)
        size = size or _trained_at(net, kind, options)
        small = stem == "small" or (stem == "auto" and max(size[1:]) <= SMALL and has_stem(net))
        if small:
            small_stem(net)
    crop_pct = 1.0 if max(size[1:]) <= SMALL else CROP_PCT
    options = replace(options, input_size=size, crop_pct=crop_pct, interpolation="bilinear")
    return _described(net, kind, options, small=small)


def adopt(model: Classifier, images: ImageSet, *, seed: int = 0) -> Built:
    """The network of a classifier with its weights, to be trained further on ``images``.

    Where all classes of the images are the model's, its last layer stays; else it gets a fresh one, drawn by ``seed``, with a class
    for each of theirs, which a note tells. The network is the classifier's own: training changes it. Raises UsageError for one that
    neither timm nor torchvision builds, whose file could not be loaded again.
    """
    facts = file_facts(model)
    if "architecture" not in facts:
        reason = "neither timm nor torchvision builds its network, so no file of it could be loaded by itself"
        raise UsageError(f"{model.name} can't be finetuned: {reason}; choose a model of theirs")
    kind = facts["architecture"] if ":" in facts["architecture"] else f"timm:{facts['architecture']}"
    own = _classes_are(model, images)
    names = model.class_names if own else images.class_names
    size, num_classes = full_size(facts["input_size"]), model.num_classes if own else count_classes(images)
    said: dict[str, Any] = {key: facts[key] for key in ("interpolation", "crop_pct") if key in facts}
    said |= {key: tuple(facts[key]) for key in facts.keys() & {"mean", "std"}}
    arguments = {key: value for key, value in facts.get("model_args", {}).items() if own or key != "num_classes"}
    options = Options(num_classes=num_classes, input_size=size, model_args=arguments, **said)
    if not own:
        _replace_head(model.net, model.head.layers, num_classes, seed)
    normalised = model.about.get("head") == NORMALISED
    built = _described(model.net, kind, options, small=model.about.get("stem") == SMALL_STEM, normalised=normalised)
    _require_buildable(model.name, built)
    built.class_names, built.class_ids = names, model.class_ids if own else None
    if not own:
        built.notes.append(
            f"{images.spec} has other classes than {model.name}: its last layer is replaced by a fresh one of {num_classes}"
        )
    return built


def _kind(arch: str) -> str:
    """With the library before it."""
    import timm

    if arch.startswith(("timm:", "torchvision:")):
        return arch
    if arch not in torchvision_names() or timm.is_model(arch):
        known_tag(arch)
        return f"timm:{arch}"
    return f"torchvision:{arch}"


def _trained_at(net: nn.Module, kind: str, options: Options) -> Size:
    """The size of the images that the architecture learns from, where none was said."""
    size = None if kind.startswith("torchvision:") else full_size(getattr(net, "pretrained_cfg", {}).get("input_size"))
    return size or from_file.fed(net, kind, options)[1]


def _described(net: nn.Module, kind: str, options: Options, *, small: bool, normalised: bool = False) -> Built:
    transform, size, preprocessing = from_file.fed(net, kind, options)
    head = head_of(net, size)
    mean, std = tuple(preprocessing["mean"]), tuple(preprocessing["std"])
    options = replace(options, input_size=size, mean=mean, std=std, interpolation=preprocessing["interpolation"])
    counts = head.num_classes, head.num_features
    stem: Literal["small", "own"] = "small" if small else "own"
    return Built(net.train(), kind, stem, head.layers, *counts, transform, size, preprocessing, options, normalised)


def head_of(net: nn.Module, size: Size) -> Head:
    """What ``find_head`` finds, even of a network whose last layer starts from zeros, so that nothing can be seen in its logits."""
    layers = [layer.weight for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    zeros = [weight for weight in layers if not weight.any()]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in zeros:
            weight.copy_(torch.randn(weight.shape, generator=generator))
        try:
            return find_head(net, size)
        finally:
            for weight in zeros:
                weight.zero_()


def _classes_are(model: Classifier, images: ImageSet) -> bool:
    """Whether the model knows every class of the images; of numbers without names, whether they are as many."""
    if images.class_names is None:
        return count_classes(images) == model.num_classes
    labels, note = align_labels(images, model.class_names, model.class_ids, model.num_classes)
    return note is None and bool((labels >= 0).any())


def _replace_head(net: nn.Module, layers: Sequence[str], num_classes: int, seed: int) -> None:
    with seeded_weights(seed):
        for name in layers:
            old = net.get_submodule(name)
            bias = old.bias is not None
            assert isinstance(old, nn.Linear | nn.Conv2d)
            new = (
                nn.Linear(old.in_features, num_classes, bias)
                if isinstance(old, nn.Linear)
                else nn.Conv2d(old.in_channels, num_classes, 1, bias=bias)
            )
            net.set_submodule(name, new.to(old.weight), strict=True)
    if hasattr(net, "num_classes"):
        setattr(net, "num_classes", num_classes)  # noqa: B010 (nn.Module declares none); timm writes it into a folder's config


def _require_buildable(name: str, built: Built) -> None:
    """Raise UsageError where what the file will say makes another network: after the training it would be too late to know."""
    state = built.net.state_dict()
    try:
        again = from_file.build(built.architecture, built.options, built.num_classes)
        adapt(again, state, built.stem, NORMALISED if built.normalised else None)
        problems = misfits(again, state)
    except InputError as error:
        problems = [str(error)]
    if problems:
        raise UsageError(
            f"{name} can't be finetuned: {built.architecture} builds another network than its weights are of ({problems[0]})"
        )
