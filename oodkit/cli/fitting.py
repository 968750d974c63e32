"""What ``oodkit synth fit`` does once the command line is understood."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError


def carry_out(
    data: str,
    limit: int | None,
    settings: Mapping[str, Any],
    output: Path | None,
    *,
    device: str,
    workers: int | None,
    tensorboard: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the generator, or go on with it, and print what came of it."""
    raise UsageError(f"no images at {data!r}")
