"""A fitted diffusion model as a generator."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from oodkit.synth.base import Generator, Request


def is_fitted(folder: str | Path) -> bool:
    """Whether the folder is one that ``fit_generator`` made."""
    return (Path(folder) / "fit.json").is_file()


class FittedDiffusion(Generator):
    """What ``fit_generator`` left in a folder."""

    title = "diffusion model fitted to one's own images"

    def __init__(
        self, folder: str | Path, *, device: str = "auto", steps: int = 20, guidance: float = 1.0, dtype: str = "auto"
    ) -> None:
        raise NotImplementedError

    def generate(self, requests: Sequence[Request]) -> Tensor:
        """uint8 (N, 3, H, W)."""
        raise NotImplementedError
