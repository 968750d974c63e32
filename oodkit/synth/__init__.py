"""Synthetic in-distribution images: generators, the sets that they make, and how good those are."""

import inspect
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.run_folder import FIT
from oodkit.synth.arguments import checked_arguments
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.classes import classes_like, classes_named, classes_of, find_classes, imagenet_classes
from oodkit.synth.from_python import installed_names
from oodkit.synth.pipeline_source import INDEX

__all__ = [
    "FOLDERS",
    "GENERATORS",
    "SCHEMES",
    "Generator",
    "ImageClass",
    "Listed",
    "Request",
    "all_generators",
    "classes_beforehand",
    "classes_like",
    "classes_named",
    "classes_of",
    "find_classes",
    "imagenet_classes",
    "make_generator",
]


@dataclass(frozen=True)
class Listed:
    """A kind of generator, and how one is made: ``maker(spec, device=…, **arguments)``.

    form: what the user writes. made_by: "module:class" below ``oodkit.synth``. title: what it is. images: of what, and their sides.
    licence: of the weights, in words where each has one of its own. needs: what has to be had beside oodkit. arguments: those that
    are not the maker's defaults; the user may give others. classes: gives those that it makes, where that is known beforehand.
    """

    form: str
    made_by: str
    title: str
    images: str
    licence: str = "unknown"
    needs: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    classes: Callable[[], tuple[ImageClass, ...]] | None = None

    @property
    def maker(self) -> Callable[..., Generator]:
        """The class that makes it, imported now."""
        module, _, name = self.made_by.partition(":")
        maker: Callable[..., Generator] = getattr(import_module(f"oodkit.synth.{module}"), name)
        return maker


def _biggan(form: str, size: int) -> Listed:
    licence, megabytes = "Apache-2.0 (of the original weights)", {128: 211, 256: 234, 512: 236}[size]
    images = f"ImageNet-1k, {size} × {size}"
    needs = f"{megabytes} MB of weights"
    return Listed(form, "biggan_generator:BigGAN", "BigGAN-deep", images, licence, needs, {"size": size}, imagenet_classes)


def _pipeline(form: str, title: str, images: str, licence: str, **arguments: Any) -> Listed:
    classes = imagenet_classes if images.startswith("ImageNet-1k") else None
    return Listed(form, "pipelines:Pipeline", title, images, licence, f"hf:{arguments['weights']}", arguments, classes)


_NAMED = (
    _biggan("biggan", 256),
    _biggan("biggan-deep-128", 128),
    _biggan("biggan-deep-256", 256),
    _biggan("biggan-deep-512", 512),
    _pipeline("dit-256", "DiT-XL/2", "ImageNet-1k, 256 × 256", "CC-BY-NC-4.0", weights="facebook/DiT-XL-2-256"),
    _pipeline("dit-512", "DiT-XL/2", "ImageNet-1k, 512 × 512", "CC-BY-NC-4.0", weights="facebook/DiT-XL-2-512"),
    _pipeline(
        "consistency-imagenet64",
        "Consistency model",
        "ImageNet-1k, 64 × 64",
        "MIT",
        weights="openai/diffusers-cd_imagenet64_l2",
        num_inference_steps=1,
    ),
    _pipeline(
        "ddpm-cifar10",
        "DDPM",
        "CIFAR-10 without classes, 32 × 32",
        "Apache-2.0",
        weights="google/ddpm-cifar10-32",
        pipeline="DDIMPipeline",
        num_inference_steps=50,
    ),
)
GENERATORS: dict[str, Listed] = {one.form: one for one in _NAMED}

_ANY_PIPELINE = Listed(
    "diffusers:ID[@REV]", "pipelines:Pipeline", "Any pipeline of diffusers", "by its call", "its own", "its weights"
)
_ELSEWHERE = "existing:Existing"
SCHEMES: dict[str, Listed] = {
    "diffusers": _ANY_PIPELINE,
    "dir": Listed("dir:PATH", _ELSEWHERE, "Images made elsewhere", "by class folders, or without classes", "theirs"),
    "npy": Listed("npy:IMAGES,LABELS", _ELSEWHERE, "Images made elsewhere", "by the labels", "theirs"),
    "wds": Listed("wds:PATH-OR-URL", _ELSEWHERE, "Images made elsewhere", "by the labels", "theirs"),
    "py": Listed("py:MODULE:FUNCTION", "from_python:Called", "A function of your own", "as it says", "as it says"),
}
FOLDERS: dict[str, Listed] = {  # by the file that tells a folder
    FIT: Listed(
        "FOLDER of synth fit",
        "fit.fitted:FittedDiffusion",
        "Your own small diffusion model",
        "your classes",
        "as the images it was fitted to",
    ),
    INDEX: Listed("FOLDER of diffusers", "pipelines:Pipeline", "Any pipeline of diffusers", "by its call", "its own"),
}
WEIGHTS = {".bin", ".ckpt", ".pt", ".pth", ".safetensors"}


def all_generators() -> list[Listed]:
    """Every generator that has a name, also those of installed packages, then the forms that name others."""
    installed = [replace(SCHEMES["py"], form=name, title="Of an installed package") for name in installed_names()]
    return [*GENERATORS.values(), *installed, *FOLDERS.values(), *SCHEMES.values()]


def classes_beforehand(spec: str, arguments: Collection[str] = ()) -> tuple[ImageClass, ...] | None:
    """The classes that a generator makes, told before its weights are fetched; None where only the generator itself can tell.

    arguments: the names of those that are given; with weights of the user's own nobody knows.
    """
    listed = GENERATORS.get(spec)
    return None if listed is None or listed.classes is None or "weights" in arguments else listed.classes()


def make_generator(spec: str, *, device: str = "auto", trust_remote_code: bool = False, **arguments: Any) -> Generator:
    """The generator of a spec, on a device: a name of ``GENERATORS``, ``scheme:rest``, or a folder that ``oodkit synth fit`` or
    diffusers wrote.

    trust_remote_code: let a diffusers repository run code of its own. arguments: what else the generator takes; ``oodkit list
    generators`` and the page of generators tell which.
    Raises UsageError for a name, scheme or argument unknown, ModelNotFoundError where weights are out of reach, CheckpointError
    where they can't be read, ImageSetError where images made elsewhere can't be.
    """
    listed = _listed(spec)
    maker = listed.maker
    given = {**listed.arguments, **checked_arguments(maker, arguments, spec)}
    offered = {"device": device, "trust_remote_code": trust_remote_code}
    taken = {name: value for name, value in offered.items() if name in inspect.signature(maker).parameters}
    if trust_remote_code and "trust_remote_code" not in taken:
        raise UsageError(f"{spec} runs no repository code: leave out --trust-remote-code")
    generator = maker(spec, **taken, **given)
    if generator.licence == "unknown" and spec in GENERATORS and "weights" not in arguments:
        generator.licence = listed.licence
    return generator


def _listed(spec: str) -> Listed:
    scheme, colon, _ = spec.partition(":")
    path = Path(spec)
    if spec in GENERATORS:
        return GENERATORS[spec]
    if colon and scheme in SCHEMES:
        return SCHEMES[scheme]
    if spec in installed_names():
        return SCHEMES["py"]
    if os.path.isdir(spec):  # noqa: PTH112 (which also takes what is too long for a path)
        found = next((one for name, one in FOLDERS.items() if (path / name).is_file()), None)
        if found is None:
            marks = " and ".join(FOLDERS)
            raise UsageError(f"{spec} is a folder without {marks}, so no generator; images in it are given as dir:{spec}")
        return found
    raise UsageError(f"no generator {spec!r}; {_hint(spec, path)}")


def _hint(spec: str, path: Path) -> str:
    if path.suffix in WEIGHTS:
        return f"weights are given as in --model biggan --generator-arg weights={spec}"
    near = get_close_matches(spec.casefold(), [*GENERATORS, *installed_names()], n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    scheme, colon, _ = spec.partition(":")
    if colon:
        return f"its kind {scheme}: is none of {', '.join(f'{one}:' for one in SCHEMES)}"
    if spec.count("/") in {1, 2} and not spec.startswith((".", "/", "~")):
        return f"there is no such folder; a repository of diffusers is given as diffusers:{spec}"
    return f"there are {', '.join([*GENERATORS, *installed_names()])}, {', '.join(f'{one}:' for one in SCHEMES)} and folders"
