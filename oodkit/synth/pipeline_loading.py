"""A diffusers pipeline from its files: whole, in evaluation mode and quiet."""

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oodkit.errors import CheckpointError, OodkitError, UsageError
from oodkit.failures import is_out_of_memory
from oodkit.wording import raised

LIBRARIES = ("diffusers", "transformers")


def pipeline_class(name: object) -> type | None:
    """The class of diffusers; None for one of the pipeline's own, [module, class]. Raises UsageError where diffusers lacks it."""
    import diffusers

    if isinstance(name, list):
        return None
    found = getattr(diffusers, str(name), None)
    if isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline):
        return found
    known = [one for one in dir(diffusers) if one.endswith("Pipeline")]
    near = get_close_matches(str(name), known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "upgrade diffusers, if it is a newer one"
    raise UsageError(f"diffusers {diffusers.__version__} has no pipeline {name!r}; {hint}")


def load_pipeline(
    folder: Path,
    made_by: type | None,
    *,
    device: torch.device,
    dtype: torch.dtype,
    variant: str | None,
    parts: Mapping[str, Any],
    trust_remote_code: bool,
) -> Any:
    """The pipeline of a folder, on a device. made_by: the class to run it with; None: as the folder says.

    Raises CheckpointError where a file is missing or broken, and where the files leave a weight to chance; OodkitError where the
    memory does not suffice.
    """
    import diffusers

    loader: Any = made_by or diffusers.DiffusionPipeline
    with quiet() as said, _told(folder, device):
        pipe = loader.from_pretrained(
            folder, dtype=dtype, variant=variant, trust_remote_code=trust_remote_code, local_files_only=True, **parts
        )
    if lacking := next((line for line in said if "newly initialized" in line), None):  # diffusers goes on with random weights
        raise CheckpointError(f"the weights in {folder} are incomplete: {lacking.splitlines()[0]}")
    with _told(folder, device):
        pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.eval()  # a DiT in training mode forgets a tenth of the classes it is asked for
    return pipe


@contextmanager
def _told(folder: Path, device: torch.device) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever is wrong with files or a stranger's code
        if is_out_of_memory(error):
            raise OodkitError(
                f"no room for {folder} on {device}; try --generator-arg dtype=bfloat16 or another --device"
            ) from error
        raise CheckpointError(f"can't load {folder}: {raised(error)}") from error


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what the libraries log and warn of off the terminal, and their bars; gives what they logged at WARNING and above."""
    loaded = [import_module(f"{name}.utils.logging") for name in LIBRARIES if name in sys.modules]  # diffusers loads transformers
    with_bars = [library for library in loaded if library.is_progress_bar_enabled()]
    said = _Collector()
    before = {name: _Settings.of(logging.getLogger(name)) for name in LIBRARIES}
    for library in with_bars:
        library.disable_progress_bar()
    for name in LIBRARIES:
        _Settings([said], logging.WARNING, propagates=False).give(logging.getLogger(name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield said.lines
    finally:
        for name, settings in before.items():
            settings.give(logging.getLogger(name))
        for library in with_bars:
            library.enable_progress_bar()


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class _Settings:
    """How a logger is set."""

    def __init__(self, handlers: list[logging.Handler], level: int, *, propagates: bool) -> None:
        self.handlers, self.level, self.propagates = handlers, level, propagates

    @classmethod
    def of(cls, logger: logging.Logger) -> "_Settings":
        return cls(logger.handlers[:], logger.level, propagates=logger.propagate)

    def give(self, logger: logging.Logger) -> None:
        logger.handlers, logger.level, logger.propagate = self.handlers, self.level, self.propagates
