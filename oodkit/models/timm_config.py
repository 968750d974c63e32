"""What a ``config.json`` of timm's, which may come from a stranger, asks for, held against its weights before timm builds it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from oodkit.models.base import Options
from oodkit.models.modest import require_modest_network
from oodkit.models.reach import hub_file
from oodkit.models.state import SUFFIXES

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # of a repository, as timm looks for them
BYTES = 2  # of a parameter, at least


def require_modest_config(name: str, options: Options) -> None:
    """Raise CheckpointError where ``local-dir:`` or ``hf-hub:`` asks for a network far larger than its weights.

    Fetches those of a repository: timm builds the network before it reads them. What is no config.json is left for timm to refuse.
    """
    import timm

    folder = _fetched(name) if name.startswith("hf-hub:") else Path(name.removeprefix("local-dir:"))
    config = _read(folder / CONFIG)
    if "architecture" not in config:
        return
    largest = max((file.stat().st_size for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file()), default=0)
    asked = config.get("model_args")
    own = {key: value for key, value in asked.items() if key != "num_classes"} if isinstance(asked, dict) else {}
    require_modest_network(
        f"{CONFIG} of {name}",
        largest // BYTES,
        own,
        lambda: timm.create_model(name, pretrained=False, **options.model_args),
    )


def _fetched(name: str) -> Path:
    """The folder of the hub's cache with the repository's config.json, and, where it is one of timm's, its weights."""
    from huggingface_hub.errors import EntryNotFoundError

    file = hub_file(name, CONFIG)
    config = _read(file)
    told = config.get("pretrained_cfg")
    other = told.get("hf_hub_filename") if isinstance(told, dict) else None
    for weights in ([other] if isinstance(other, str) else WEIGHTS) if "architecture" in config else []:
        with suppress(EntryNotFoundError):
            hub_file(name, weights)
            break
    return file.parent


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
