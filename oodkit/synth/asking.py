"""A generator is asked for images, and what it gives is looked at before anything relies on it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from oodkit.errors import GeneratorError, OodkitError, UnreadableImageError
from oodkit.failures import is_out_of_memory
from oodkit.synth.base import Generator, Request
from oodkit.wording import counted, printable, raised

Given = Tensor | UnreadableImageError


class _TooManyError(Exception):
    """More images at once than the memory has room for."""


class Asker:
    """Asks for so many images at once, and for half as many from there on where the memory does not suffice.

    at_once: None = as many as a batch has, and that may be halved, but not where images that are made together share a seed: those
    of half a batch would be others. A number is the user's, and is kept to.
    """

    def __init__(self, generator: Generator, at_once: int | None, say: Callable[[str], None]) -> None:
        self._generator, self._at_once, self._halves, self._say = generator, at_once, at_once is None, say
        self._together = generator.seed_scope == "batch"

    def ask(self, requests: Sequence[Request]) -> list[Given]:
        """An image for each request, uint8 (3, H, W) on the CPU, or why it can't be had.

        Raises GeneratorError for a generator that fails or gives anything else, OodkitError where the memory does not suffice.
        """
        given: list[Given] = []
        while len(given) < len(requests):
            piece = requests[len(given) : len(given) + (self._at_once or len(requests))]
            try:
                given += checked(self._made(piece), piece, self._generator)
                continue
            except _TooManyError:
                self._at_once = len(piece) // 2
                self._say(f"{len(piece)} images at once did not fit in the memory; {self._at_once} at once from here on")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # not before the exception is gone, whose traceback holds the activations
        return given

    def _made(self, requests: Sequence[Request]) -> Any:
        """What the generator gives. Raises _TooManyError where the memory does not suffice and fewer may be tried."""
        try:
            with torch.no_grad():
                return self._generator.generate(requests)
        except (OodkitError, KeyboardInterrupt):
            raise
        except BaseException as error:  # also SystemExit, which would end the program as if all were well
            if not is_out_of_memory(error):
                raise GeneratorError(f"{_name(self._generator)} failed with {raised(error)}") from error
            if self._halves and not self._together and len(requests) > 1:
                raise _TooManyError from error
            remedy = self._smaller(len(requests)) if len(requests) > 1 else "use a smaller generator or --device cpu"
            many = counted(len(requests), "image", "images at once")
            raise OodkitError(f"{_name(self._generator)}: {many} did not fit in the memory; {remedy}") from error

    def _smaller(self, count: int) -> str:
        if not self._together:
            return "give a smaller --batch-size"
        return f"its images depend on those that they are made with, so it is yours to choose: give --batch-size {count // 2}"


def checked(found: Any, requests: Sequence[Request], generator: Generator) -> list[Given]:
    """The images, each uint8 (3, H, W) of the generator's size, on the CPU. Raises GeneratorError for anything else."""
    name = _name(generator)
    if not isinstance(found, Tensor | Sequence) or (isinstance(found, Tensor) and not found.ndim):
        got = "a single number" if isinstance(found, Tensor) else type(found).__name__
        raise GeneratorError(f"{name} gave {got}; expected a tensor or a list of images, uint8 (3, H, W)")
    if len(found) != len(requests):
        raise GeneratorError(f"{name} gave {counted(len(found), 'image', 'images')} where {len(requests)} were asked for")
    given = list(found.cpu() if isinstance(found, Tensor) else found)
    for image in given:
        if not isinstance(image, UnreadableImageError) and (fault := _fault(image, generator.size)):
            raise GeneratorError(f"{name} gave {fault}")
    return [one.cpu() if isinstance(one, Tensor) else one for one in given]


def _fault(image: Any, size: int | None) -> str | None:
    expected = "uint8 (3, H, W)" if size is None else f"uint8 (3, {size}, {size})"
    if not isinstance(image, Tensor):
        return f"{type(image).__name__} for an image; expected {expected}"
    if image.is_floating_point() and not bool(image.isfinite().all()):
        return "an image with numbers that are not finite; try another precision or other settings"
    shape = tuple(image.shape)
    fits = len(shape) == 3 and shape[0] == 3 and min(shape) > 0 and (size is None or shape[1:] == (size, size))
    if image.dtype != torch.uint8 or not fits:
        return f"an image {str(image.dtype).removeprefix('torch.')} {shape}; expected {expected}"
    return None


def _name(generator: Generator) -> str:
    return printable(generator.spec)
