"""Generators that are a function of the user's own, ``py:MODULE:FUNCTION``, or one that an installed package names."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import GeneratorError, InputError, OodkitError, UsageError
from oodkit.failures import is_out_of_memory
from oodkit.forward import resolve_device
from oodkit.models.user_code import found_function, importable, prints_aside, source_hash
from oodkit.synth.arguments import checked_arguments
from oodkit.synth.base import Generator, Request
from oodkit.synth.classes import numbered_classes
from oodkit.wording import in_short, raised

GROUP = "oodkit.generators"  # the entry points by which a package gives functions their names
GIVEN = "classes, seeds"
CALLED = f"f({GIVEN}, …arguments)"
EXPECTED = "uint8 images (N, H, W, 3) or (N, 3, H, W), an array or a tensor"


class Called(Generator):
    """A function ``f(classes, seeds, **arguments)`` that returns uint8 images (N, H, W, 3) or (N, 3, H, W), an array or a tensor.

    classes: a list of N names, or None where images have none. seeds: N whole numbers in [0, 2³²); each image is to depend on its
    own alone. What else the function takes are its arguments; one called ``device`` gets the name of the device, as ``cuda:0``.
    It may say what it is by attributes: ``classes``, the names of all that it can make, without which it is asked for any;
    ``conditional = False`` where it can't be told; ``size``, their side in pixels; ``licence``; ``batch_size``; and
    ``seed_scope = "batch"`` where it draws for all at once.
    An installed package names functions in the entry point group ``oodkit.generators``.
    """

    title = "A function of your own"

    def __init__(self, spec: str, *, device: str = "auto", **arguments: Any) -> None:
        self.spec = spec
        self._function, source = _found(spec)
        taken = _signature(self._function, spec)
        self._arguments = checked_arguments(self._function, arguments, spec, ("classes", "seeds"))
        if "device" in taken.parameters:
            self._arguments.setdefault("device", str(resolve_device(device)))
        _require_callable(taken, self._arguments, spec)
        self.facts = {"source": source, **json.loads(json.dumps(arguments, default=lambda value: type(value).__name__))}
        names = self._said("classes", _are_names, "names", None)
        self.conditional = self._said("conditional", lambda value: isinstance(value, bool), "true or false", default=True)
        self.classes = numbered_classes(tuple(names)) if names and self.conditional else None
        self.size = self._said("size", _is_count, "a side in pixels", None)
        self.licence = self._said("licence", lambda value: isinstance(value, str), "a text", "unknown")
        self.batch_size = self._said("batch_size", _is_count, "a number of images", 16)
        self.seed_scope = self._said("seed_scope", lambda value: value in {"image", "batch"}, "image or batch", "image")

    def generate(self, requests: Sequence[Request]) -> Tensor:
        """What the function returns. Raises GeneratorError, one line, for whatever it raises, and where these are no images."""
        names = [one.of.name for one in requests if one.of is not None] or None
        try:
            with importable(Path.cwd()), prints_aside():
                made = self._function(names, [one.seed for one in requests], **self._arguments)
        except (OodkitError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a stranger's function may raise anything, and leave the program by sys.exit
            if is_out_of_memory(error):
                raise
            raise GeneratorError(f"{self.spec} raised {raised(error)}") from error
        return self._images(made, len(requests))

    def _images(self, made: object, count: int) -> Tensor:
        if isinstance(made, np.ndarray) and made.dtype == np.uint8:
            made = torch.from_numpy(made.copy())  # PyTorch takes no strides below 0 and warns of arrays that can't be written
        if not isinstance(made, Tensor) or made.dtype != torch.uint8 or made.ndim != 4 or 3 not in (made.shape[1], made.shape[3]):
            raise GeneratorError(f"{self.spec} returned {_told(made)}; expected {EXPECTED}")
        if len(made) != count:
            raise GeneratorError(f"{self.spec} returned {len(made)} images for {count} seeds; expected one for each")
        return made if made.shape[1] == 3 else made.permute(0, 3, 1, 2)

    def _said(self, name: str, fits: Callable[[Any], bool], expected: str, default: Any) -> Any:
        """What the function says by an attribute; a stranger's, so it may be anything."""
        value = getattr(self._function, name, default)
        try:
            if value is default or fits(value):
                return value
        except TypeError:
            pass
        raise GeneratorError(f"{self.spec} has {name} = {in_short(repr(value), 60)}; expected {expected}")


def installed_names() -> tuple[str, ...]:
    """The names that installed packages give to their generators."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)}))


def _found(spec: str) -> tuple[Callable[..., Any], str]:
    """The function, and what tells it from another: a hash of its file, or the package and its version."""
    if spec.startswith("py:"):
        module, function = found_function(spec, "py:mine.py:images")
        return function, source_hash(module)
    named = entry_points(group=GROUP, name=spec)[spec]
    try:
        with prints_aside():
            function = named.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as above
        raise InputError(f"can't load the generator {spec}, {named.value}: {raised(error)}") from error
    return function, f"{named.dist.name} {named.dist.version}" if named.dist else named.value


def _signature(function: Callable[..., Any], spec: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{spec} does not say what it takes; expected a function of Python, {CALLED}") from error


def _require_callable(taken: inspect.Signature, arguments: Mapping[str, Any], spec: str) -> None:
    """Raise UsageError where a call would fail for what it is given, before anything is written."""
    try:
        taken.bind(None, [], **arguments)
    except TypeError as error:
        given = f"{GIVEN}, {', '.join(f'{name}=…' for name in arguments)}" if arguments else GIVEN
        remedy = "--generator-arg NAME=VALUE gives what has no default"
        raise UsageError(f"{spec} can't be called with ({given}): {error}; expected {CALLED}, and {remedy}") from error


def _are_names(value: Any) -> bool:
    return not isinstance(value, str) and len(value) > 0 and all(isinstance(name, str) for name in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _told(made: object) -> str:
    if isinstance(made, Tensor | np.ndarray):
        return f"{str(made.dtype).removeprefix('torch.')} {tuple(made.shape)}"
    return f"a {type(made).__name__}"
