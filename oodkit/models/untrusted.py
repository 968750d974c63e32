"""A network that a file names: the file may come from a stranger, so little of what ``load_classifier`` takes may stand in it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.errors import CheckpointError, InputError
from oodkit.models.from_file import JSON_FACTS
from oodkit.models.names import portable
from oodkit.models.reach import hub_file, hub_or_cache
from oodkit.models.state import SUFFIXES
from oodkit.wording import in_short, printable

ALLOWED = {"name", "arch", "num_classes", "input_size", "mean", "std"}
LARGEST_SIDE = 1024  # pixels; less than a file of weights decides on, since this one brings no network of its own
LONGEST_NAME = 1000


def stored_source(source: object, num_classes: int, beside: Path) -> dict[str, Any]:
    """The arguments of ``load_classifier`` that a file gives, if it may give them; a path as it is found from here.

    A file can make oodkit load a model of timm, torchvision, the demo, the Hugging Face Hub (with safetensors weights) or a local
    file or folder: nothing of these runs code, and pickles are read as weights only. What would run code of a ``py:`` model, build
    a network with arguments of the file's choice, or fill the memory, the user has to ask for. num_classes: of the file's head.
    beside: the file; a relative path is looked for from the working folder, then from the file's folder and those above it, and
    so is its last part.
    Raises InputError, which says why not.
    """
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        raise InputError("it names no network")
    name = source["name"]
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise InputError(f"the name of its network is none: {printable(name[:40])!r}")
    if name.startswith("py:"):
        raise InputError(f"its network {name} is made by running code, which a file does not start")
    if refused := sorted(set(source) - ALLOWED):
        raise InputError(f"its network {name} is built with {', '.join(map(repr, refused))}, which a file does not decide")
    _require_sound(source, num_classes)
    if name.startswith("hf-hub:"):
        _require_safetensors(name)
    return {**source, "name": _found(name, beside)}


def stored_name(name: str, file: Path) -> str:
    """What a file at this path calls the network: of a path its last part, where that leads to it from the file.

    Where files lie is nobody else's business, so further folders are named only where the network would not be found otherwise,
    and only those below the working folder, as the user spelled them: of an absolute path none is.
    """
    cut, path = portable(name), Path(name.removeprefix("local-dir:"))
    if cut == name or path.is_absolute() or ".." in path.parts or name.startswith("py:"):
        return cut
    return cut if _is_same(_found(cut, file), name) else name


def is_named(source: Mapping[str, Any], file: Path) -> bool:
    """Whether a file at this path can name the network of ``Classifier.source`` so that it is found again without further words."""
    name = str(source.get("name", ""))
    if not name or name.startswith("py:") or not set(source) <= ALLOWED | {"class_names"}:
        return False
    stored = stored_name(name, file)
    return stored == name or _is_same(_found(stored, file), name)


def _is_same(one: str, other: str) -> bool:
    paths = [Path(name.removeprefix("local-dir:")) for name in (one, other)]
    return all(path.exists() for path in paths) and paths[0].samefile(paths[1])


def _require_sound(source: Mapping[str, Any], num_classes: int) -> None:
    for key, value in source.items():
        fits, expected = JSON_FACTS.get(key, (lambda one: isinstance(one, str) and one.isprintable(), "a name"))
        if not fits(value):
            raise InputError(f"its network has {key}={in_short(repr(value), 60)}, expected {expected}")
    size = source.get("input_size", 1)
    if max(size if isinstance(size, list) else [size]) > LARGEST_SIDE:
        raise InputError(f"its network takes images of {size}, and a file decides on at most {LARGEST_SIDE} pixels a side")
    if source.get("num_classes", num_classes) != num_classes:
        raise InputError(f"its network has {source['num_classes']} classes and its head {num_classes}")


def _found(name: str, beside: Path) -> str:
    scheme = "local-dir:" if name.startswith("local-dir:") else ""
    path = Path(name.removeprefix(scheme))
    if not scheme and (":" in name or path.suffix.lower() not in SUFFIXES):
        return name
    folders = beside.absolute().parents
    places = [path, *(folder / path for folder in folders), *(folder / path.name for folder in folders)]
    return scheme + str(next((place for place in places if os.path.exists(place)), path))  # noqa: PTH110 (which never raises)


def _require_safetensors(name: str) -> None:
    """Raise CheckpointError where timm would take other weights from the hub; what is out of reach is left to it."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    from timm.models import load_model_config_from_hf

    file = "model.safetensors"
    try:
        with hub_or_cache():
            config, _, _ = load_model_config_from_hf(name.removeprefix("hf-hub:"))
            file = str(config.get("hf_hub_filename") or file)
            if file.endswith(".safetensors"):
                hub_file(name, file)
                return
    except LocalEntryNotFoundError:
        return
    except EntryNotFoundError:
        pass
    raise CheckpointError(f"its network {name} has no {file} that is safetensors")
