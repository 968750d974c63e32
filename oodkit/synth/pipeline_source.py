"""Where a diffusers pipeline lies: a folder here, or a repository of the hub; its facts, and whose code it brings."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from oodkit.errors import CheckpointError, InputError, ModelNotFoundError, UsageError
from oodkit.models.reach import reading_hub
from oodkit.synth.weights_at import sha256_of
from oodkit.wording import in_short

INDEX = "model_index.json"
HUB = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:/(?P<subfolder>[^@]+))?(?:@(?P<revision>.+))?")
LOCAL_COPY = "give a local copy: --generator-arg weights=FOLDER"
PUBLISHED = {  # by their repository the pipelines that have names here, and the classes that run them
    "facebook/DiT-XL-2-256": "DiTPipeline",
    "facebook/DiT-XL-2-512": "DiTPipeline",
    "openai/diffusers-cd_imagenet64_l2": "ConsistencyModelPipeline",
    "google/ddpm-cifar10-32": "DDPMPipeline",
}


@dataclass(frozen=True)
class Place:
    """A folder, or a folder of a repository on the hub at a revision. name: as the user gave it, without the scheme."""

    name: str
    folder: Path | None
    hub_id: str = ""
    subfolder: str | None = None
    revision: str | None = None

    def reaching(self) -> AbstractContextManager[None]:
        """Read the hub, or its cache where it is out of reach; raises as ``reading_hub``."""
        no_folder = "" if self.hub_id in PUBLISHED else f"there is no folder {self.name} here either; "
        absent = f"{self.name} has no {INDEX} on the hub, so it is no diffusers pipeline"
        return reading_hub(self.name, absent, f"{no_folder}{LOCAL_COPY}")


def place_of(name: str) -> Place:
    """Read ``OWNER/NAME[/SUBFOLDER][@REV]`` or the path of a folder; a folder that is there wins.

    Raises UsageError where it is neither, and ModelNotFoundError for a folder that is not there.
    """
    spec, name = name, name.removeprefix("diffusers:").removeprefix("hf:")
    if not name:
        raise UsageError(f"a name is missing behind {spec!r}: expected OWNER/NAME[@REVISION] on the hub, or a folder with {INDEX}")
    folder = Path(name).expanduser()
    if os.path.isdir(folder):  # noqa: PTH112 (as at ``weights_at``)
        return Place(name, folder)
    if name.startswith((".", "/", "~")):
        raise ModelNotFoundError(f"no folder {name}; expected a folder with {INDEX}, as pipe.save_pretrained(FOLDER) writes it")
    if not (said := HUB.fullmatch(name)):
        raise UsageError(f"can't read {name!r}: expected OWNER/NAME[@REVISION] on the hub, or the path of a folder with {INDEX}")
    return Place(name, None, said["id"], said["subfolder"], said["revision"])


def read_index(place: Place) -> dict[str, Any]:
    """model_index.json, the pipeline's class and parts, and no other file. Raises ModelNotFoundError or CheckpointError."""
    if place.folder is None:
        from huggingface_hub import hf_hub_download

        with place.reaching():
            file = Path(hf_hub_download(place.hub_id, INDEX, subfolder=place.subfolder, revision=place.revision))
    else:
        file = place.folder / INDEX
    if not file.is_file():
        raise ModelNotFoundError(f"{place.name} has no {INDEX}; expected a folder that pipe.save_pretrained(FOLDER) wrote")
    try:
        index = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"can't read {file}: {error}") from error
    if not isinstance(index, dict) or not _names_a_class(index.get("_class_name")):
        raise CheckpointError(f"{file} names no pipeline (_class_name); expected what pipe.save_pretrained(FOLDER) wrote")
    return index


def require_runnable(place: Place, index: Mapping[str, Any], *, trust_remote_code: bool) -> None:
    """Raise UsageError where the pipeline brings code that the user did not allow, or where transformers is missing."""
    from diffusers.utils.constants import DIFFUSERS_DISABLE_REMOTE_CODE

    libraries = {library for library, _ in _parts(index)}
    if brought := [*own_code(index), *sorted(name for name in libraries if not _is_known(name))]:
        what = f"{place.name} brings code of its own ({', '.join(brought)})"
        if not trust_remote_code:
            raise UsageError(f"{what}, which would run with your rights; read it, then allow it with --trust-remote-code")
        if DIFFUSERS_DISABLE_REMOTE_CODE:
            raise UsageError(f"{what}, and the environment variable DIFFUSERS_DISABLE_REMOTE_CODE forbids it")
    if libraries - {"diffusers", *brought} and find_spec("transformers") is None:
        raise UsageError(f"{place.name} needs the package transformers: pip install 'oodkit[text]'")


def is_in_pixels(index: Mapping[str, Any]) -> bool:
    """Whether the network makes pixels itself: there is neither an autoencoder nor a text encoder beside it."""
    return not any(library != "diffusers" or "Autoencoder" in name or "VQ" in name for library, name in _parts(index))


def own_code(index: Mapping[str, Any]) -> list[str]:
    """The module that a pipeline's class stands in, where that is not diffusers."""
    return [f"{index['_class_name'][0]}.py"] if isinstance(index["_class_name"], list) else []


def fetched(place: Place, *, trust_remote_code: bool, variant: str | None, without: Sequence[str]) -> Path:
    """The folder with all of the pipeline's files, downloaded where need be, but for the parts to be left out."""
    if place.folder is not None:
        return place.folder
    from diffusers import DiffusionPipeline
    from huggingface_hub import constants, snapshot_download

    with place.reaching():
        if place.subfolder is not None:
            whole = snapshot_download(place.hub_id, revision=place.revision, allow_patterns=f"{place.subfolder}/*")
            return Path(whole, place.subfolder)
        return Path(
            DiffusionPipeline.download(
                place.hub_id,
                revision=place.revision,
                variant=variant,
                trust_remote_code=trust_remote_code,
                local_files_only=constants.HF_HUB_OFFLINE,
                **dict.fromkeys(without),
            )
        )


def revision_of(place: Place, folder: Path) -> dict[str, str]:
    """What tells these weights from others: the commit of the hub, or a hash of the folder's files."""
    if place.folder is None:
        parts = folder.parts
        return {"revision": parts[parts.index("snapshots") + 1] if "snapshots" in parts else str(place.revision)}
    return {"fingerprint": fingerprint(folder)}


def fingerprint(folder: Path) -> str:
    """A hash of the names and bytes of a pipeline's files; one that was tuned in part shares most of them with its origin."""
    hashed = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".json", ".safetensors", ".bin", ".txt", ".model", ".py"}:
            hashed.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of(file)}\0".encode())
    return hashed.hexdigest()


def licence_of(place: Place, folder: Path) -> str:
    """As the model card says; "unknown" where there is none or it says nothing."""
    from huggingface_hub import hf_hub_download, metadata_load
    from yaml import YAMLError

    card = folder / "README.md"
    try:
        if place.folder is None and not card.is_file():
            with place.reaching():
                card = Path(hf_hub_download(place.hub_id, "README.md", revision=place.revision))
        facts = metadata_load(card) or {}
    except (InputError, OSError, ValueError, YAMLError):  # a card is nothing that a run should fail for
        facts = {}
    said = facts.get("license_name") or facts.get("license")
    return in_short(said or "unknown")


def _names_a_class(said: Any) -> bool:
    """Whether it is a class of diffusers, or module and class of the pipeline's own."""
    own = isinstance(said, list) and len(said) == 2 and all(isinstance(one, str) for one in said)
    return own or isinstance(said, str)


def _parts(index: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Library and class of each part; an entry may also be a setting, or [None, None] for a part that was left out."""
    parts = [value for key, value in index.items() if not key.startswith("_") and isinstance(value, list) and len(value) == 2]
    return [(library, name) for library, name in parts if isinstance(library, str) and isinstance(name, str)]


def _is_known(library: str) -> bool:
    import diffusers

    return library in {"diffusers", "transformers"} or hasattr(diffusers.pipelines, library)
