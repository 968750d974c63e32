"""Synthetic in-distribution images: generators, the sets that they make, and how good those are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.classes import classes_like, classes_named, classes_of, find_classes, imagenet_classes

__all__ = [
    "GENERATORS",
    "SCHEMES",
    "Generator",
    "ImageClass",
    "Listed",
    "Request",
    "classes_like",
    "classes_named",
    "classes_of",
    "find_classes",
    "imagenet_classes",
    "make_generator",
]


@dataclass(frozen=True)
class Listed:
    """A generator that has a name, and how it is made: ``maker(spec, device=…, **fixed, **defaults or what the user says)``.

    maker: "module:class" below ``oodkit.synth``. title: what it is. images: the sides that it makes, in pixels, and of what.
    licence: of the weights. needs: what has to be there beside oodkit. fixed: arguments that belong to the name. defaults:
    arguments that the user may change, where the maker's own defaults are others.
    """

    maker: str
    title: str
    images: str
    licence: str
    needs: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


_BIGGAN = {
    f"biggan-deep-{size}": Listed(
        "biggan_generator:BigGAN", f"BigGAN-deep {size}", f"{size}, ImageNet-1k", "unknown", "its weights", {"size": size}
    )
    for size in (128, 256, 512)
}
GENERATORS: dict[str, Listed] = {"biggan": _BIGGAN["biggan-deep-256"], **_BIGGAN}
SCHEMES: dict[str, Listed] = {}


def make_generator(spec: str, *, device: str = "auto", trust_remote_code: bool = False, **arguments: Any) -> Generator:
    """The generator of a spec, on a device: a name of ``GENERATORS``, a scheme of ``SCHEMES`` with what it names, or a folder.

    Raises UsageError for a name, scheme or argument unknown.
    """
    raise NotImplementedError
