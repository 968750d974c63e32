"""A classifier as oodkit uses it: network, transform, class names, and the head that the network's logits come from."""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oodkit.code_identity import code_of_network, stable_repr
from oodkit.errors import OutputsError, UnsupportedModelError, UsageError
from oodkit.head import Head
from oodkit.heads import find_head
from oodkit.models.base import AUGDELETE, Loaded, Options, Transform, full_size, imagenet_names
from oodkit.wording import printable

SAID = ("arch", "num_classes", "input_size", "mean", "std")
IMAGENET_CLASSES = 1000  # a network with as many logits that names no classes is taken to have ImageNet-1k's, in their usual order


@dataclass(frozen=True)
class Origin:
    """Of a network with another head than it was loaded with, or with one that was refitted before it was stored.

    name: of the network as it was loaded. weights: the hash of its tensors then. method: how the head came about that it has now,
    "AugDelete" or "" where that is not known.
    """

    name: str
    weights: str
    method: str = ""


@dataclass(eq=False)
class Classifier:
    """A network in evaluation mode and what is known of it.

    name: as the user spelled it, with the weights' tag added where it was left out. transform: an RGB image to a normalised
    (3, H, W) float32 tensor. preprocessing: the same in words and numbers, JSON-able. class_names: for people, one per logit;
    class_ids: WordNet ids or other keys that class folders may be named by. about: architecture, licence, source, JSON-able.
    source: the name and the other arguments, JSON-able, with which ``load_classifier`` makes it again; never ``allow_pickle``,
    which is for whoever loads to say. Empty where it was made otherwise. origin: where another head was put into it; None where it
    has the head that it was trained with.
    """

    name: str
    net: nn.Module
    transform: Transform
    head: Head
    input_size: tuple[int, int, int]
    preprocessing: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    class_ids: tuple[str, ...] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None
    _known: tuple[object, dict[object, str]] | None = field(default=None, init=False, repr=False)

    @property
    def num_classes(self) -> int:
        return self.head.num_classes

    def fingerprint(self) -> str:
        """A hash of every weight and buffer, of the network's structure and of the code that it runs; never of its name.

        Computed once for as long as no tensor is changed or moved.
        """
        return self._hashed(self._described)

    def weights_hash(self) -> str:
        """A hash of the names, types, shapes and bytes of all weights and buffers: the same whatever code runs them.

        Computed once, as ``fingerprint`` is.
        """
        return self._hashed(str)

    def as_loaded(self) -> Origin:
        """The name and the hash of the network as it was loaded, whichever head it has now."""
        return self.origin or Origin(self.name, self.weights_hash())

    @property
    def refitted(self) -> bool:
        """Whether the last layer was refitted by plain cross-entropy, so that the recipe no longer tells of it."""
        return self.origin is not None and self.origin.method == AUGDELETE

    def with_head(self, head: Head, name: str | None = None, method: str = "") -> "Classifier":
        """A copy of the classifier whose network has ``head`` written into it; this one stays as it is.

        method: how the head came about; "AugDelete" where ``oodkit.augdelete`` made it. name: by default that of the network as it
        was loaded, and "+ AugDelete", or "+ another head" where no method is told. Its ``origin`` says which network that was,
        however often the head is replaced. Raises OutputsError where the head is of other layers than the network's, or has other
        shapes.
        """
        own = self.head
        if (head.layers or own.layers, head.num_classes) != (own.layers, own.num_classes):
            got = f"a head of {head.num_classes} classes from {printable(', '.join(head.layers)) or 'no layer'}"
            expected = f"{own.num_classes} classes from {', '.join(own.layers)}"
            misfit = f"{got} does not fit {self.name}, whose own has {expected}"
            raise OutputsError(f"{misfit}; give one that was made of this architecture")
        net = copy.deepcopy(self.net)
        head = replace(head, layers=own.layers, shared=own.shared, shapes=own.shapes)
        head.apply_to(net)
        origin = replace(self.as_loaded(), method=method)
        about = {key: fact for key, fact in self.about.items() if key != "note"}  # which is of the logits that it had
        name = name or f"{origin.name} + {method or 'another head'}"
        return replace(self, name=name, net=net, head=head, about=about, origin=origin)

    def _described(self) -> str:
        return f"{stable_repr(self.net)} {code_of_network(self.net)} {self.about.get('model_args')}"

    def _hashed(self, described: Callable[[], str]) -> str:
        tensors = self.net.state_dict()
        state = tuple((name, tensor.data_ptr(), tensor._version) for name, tensor in tensors.items())  # noqa: SLF001 (no public count)
        if self._known is None or self._known[0] != state:
            self._known = (state, {})
        known = self._known[1]
        if described not in known:
            digest = hashlib.blake2b(described().encode(), digest_size=16)
            _digest_tensors(digest, tensors)
            known[described] = digest.hexdigest()
        return known[described]


def _digest_tensors(digest: hashlib.blake2b, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def load_classifier(
    name: str,
    *,
    arch: str | None = None,
    checkpoint: str | Path | None = None,
    num_classes: int | None = None,
    input_size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    model_args: Mapping[str, Any] | None = None,
    allow_pickle: bool = False,
    class_names: Sequence[str] | None = None,
) -> Classifier:
    """Load a model by name, with its weights, its evaluation transform and its head.

    name: a timm name (``resnet50.tv2_in1k``), ``torchvision:ARCH/WEIGHTS``, ``hf-hub:OWNER/NAME[@REV]``, ``local-dir:PATH``,
    ``demo:digits-v1``, ``py:MODULE:FUNCTION``, or a file of weights (.safetensors, .pth, .pt, .th, .ckpt, .bin, .tar).
    arch: for a file, its timm or torchvision architecture. checkpoint: for ``py:``, its weights. num_classes: what the head must
    have. input_size: a side in pixels, or (channels, height, width). mean, std: one number a channel, of pixels in [0, 1].
    model_args: keyword arguments of the network's constructor. allow_pickle: let a checkpoint run code. class_names: one per logit.

    Raises ModelNotFoundError where there is no such model or its weights are out of reach, CheckpointError where a file can't be
    read or does not fit, UnsupportedModelError where no linear head makes the logits, UsageError where options don't go together.
    """
    from oodkit.models import load

    options = Options(
        arch=arch,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        num_classes=num_classes,
        input_size=full_size(input_size),
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        model_args=model_args or {},
        allow_pickle=allow_pickle,
    )
    loaded = load(name, options)
    loaded.net.float().eval()
    try:
        head = find_head(loaded.net, loaded.input_size, num_classes)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{loaded.name}: {error}") from error
    names, ids = _classes_of(loaded, head.num_classes, class_names)
    facts = {field.name: getattr(loaded, field.name) for field in fields(loaded) if field.name != "refitted"}
    about = {**({"model_args": dict(model_args)} if model_args else {}), **loaded.about}
    source = {"name": loaded.name, **_said(options, class_names)}
    model = Classifier(**{**facts, "class_names": names, "class_ids": ids, "about": about}, head=head, source=source)
    if loaded.refitted:
        model.origin = Origin(model.name, model.weights_hash(), AUGDELETE)
    return model


def _classes_of(
    loaded: Loaded, num_classes: int, said: Sequence[str] | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Names and ids of the classes: those that the user said, the checkpoint's own, or ImageNet-1k's."""
    names, ids = (tuple(said), None) if said is not None else (loaded.class_names, loaded.class_ids)
    if names is None and num_classes == IMAGENET_CLASSES:
        names, ids = imagenet_names()
    elif ids is None and said is None and num_classes == IMAGENET_CLASSES:
        ids = imagenet_names()[1]
    if names is not None and len(names) != num_classes:
        raise UsageError(f"{loaded.name} has {num_classes} classes, got {len(names)} class names")
    return names, ids


def _said(options: Options, class_names: Sequence[str] | None) -> dict[str, Any]:
    """What the user said beside the name, as JSON has it."""
    said = {key: getattr(options, key) for key in SAID} | {"class_names": class_names}
    said |= {"checkpoint": options.checkpoint and str(options.checkpoint), "model_args": dict(options.model_args)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items() if value}


def available_models() -> list[str]:
    """Every name with weights that ``load_classifier`` knows by itself: shipped ones, torchvision's, timm's with their tags."""
    import timm

    from oodkit.models.names import demo_names, torchvision_weights

    return [*demo_names(), *torchvision_weights(), *timm.list_pretrained()]
