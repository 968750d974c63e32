"""What ``oodkit synth`` does once the command line is understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oodkit.errors import UsageError


@dataclass(frozen=True)
class Wanted:
    """What is to be made, in the words of a command line; None = not said. arguments: of the generator, each K=V."""

    model: str
    classes: Sequence[str] | None
    like: str | None
    per_class: int
    count: int | None
    label_with: str | None
    min_confidence: float
    keep_agreeing: bool
    size: int | None
    save_format: Literal["png", "jpeg"]
    quality: int
    arguments: Sequence[str]
    trust_remote_code: bool
    batch_size: str
    device: str
    seed: int


def carry_out(wanted: Wanted, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Make the images, or what is missing of them, and print what came of it."""
    raise UsageError(f"no generator {wanted.model!r}")
