"""Weights that a path, a repository of the hub or an address names: where they lie here, and their hash."""

import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from oodkit.atomic import write_atomically
from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.models.reach import reading_hub
from oodkit.wording import printable

HUB = "hf:"
CONFIG = "config.json"
PIN = re.compile(r"#sha256=([0-9a-fA-F]*)$")
TIMEOUT_S = 30
PIECE = 2**20  # bytes that are held at once


@dataclass(frozen=True)
class Weights:
    """place: the file, or the folder with it and its config.json. name: as it may be shown, of a path its last part. sha256: of the
    file. revision: a commit of the hub, else "".
    """

    place: Path
    name: str
    sha256: str
    revision: str = ""


def weights_at(where: str, names: Sequence[str], instead: str) -> Weights:
    """The weights that a path, ``hf:OWNER/NAME[@REV]`` or a URL names; with ``#sha256=HEX`` behind it they are held against that.

    names: what the file may be called in a folder or a repository, the best first; a config.json comes along where there is one.
    instead: what to do where they are out of reach, for the error. A URL is fetched once, into the folder of torch's hub.
    Raises ModelNotFoundError where there are none or they can't be fetched, CheckpointError where they have another hash.
    """
    where, pin = _without_pin(where)
    if where.startswith(HUB):
        weights = _from_hub(where, names, instead)
    elif re.match("https?://", where):
        weights = _from_url(where, instead)
    else:
        place = Path(where).expanduser()
        weights = Weights(place, place.name, sha256_of(weight_file(place, names)))
    if pin and weights.sha256 != pin:
        what = f"the weights at {printable(str(weights.place))} have sha256 {weights.sha256}, expected {pin}"
        raise CheckpointError(f"{what}; if the hash is right, remove them and fetch them again")
    return weights


def weight_file(place: Path, names: Sequence[str]) -> Path:
    """The file itself, or the first of the names that the folder has, or its one file of safetensors.

    Raises ModelNotFoundError where there is none, or none of the names and several of safetensors.
    """
    if not os.path.isdir(place):  # noqa: PTH112 (which raises nothing where the system refuses to look)
        if not os.path.isfile(place):  # noqa: PTH113
            raise ModelNotFoundError(f"no file or folder {printable(str(place))}; look at the path")
        return place
    known = [place / name for name in names if (place / name).is_file()]
    found = known[:1] or sorted(place.glob("*.safetensors"))
    if len(found) != 1:
        has = ", ".join(printable(one.name) for one in found[:3]) or "none"
        raise ModelNotFoundError(f"{printable(str(place))} has {has} of {' or '.join(names)}; name the weight file itself")
    return found[0]


def sha256_of(file: Path) -> str:
    """The hash of a file's bytes, 64 hexadecimal digits. Raises CheckpointError where they can't be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CheckpointError(f"can't read {printable(str(file))}: {reason}; look at its permissions, or copy it again") from error


def _without_pin(where: str) -> tuple[str, str]:
    found = PIN.search(where)
    if found is None:
        return where, ""
    if len(found[1]) != 64:
        raise UsageError(f"#sha256= takes 64 hexadecimal digits, got {len(found[1])}; copy the whole hash")
    return where[: found.start()], found[1].lower()


def _from_hub(where: str, names: Sequence[str], instead: str) -> Weights:
    """The first of the names that the repository has, or out of reach the cache, beside its config.json."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    repository, _, revision = where.removeprefix(HUB).partition("@")

    def fetched(name: str) -> Path:
        return Path(hf_hub_download(repository, name, revision=revision or None))

    with reading_hub(where, f"{printable(where)} has none of {', '.join(names)}; {instead}", instead):
        file = None
        for name in names[:-1]:
            with suppress(EntryNotFoundError):
                file = fetched(name)
                break
        file = file or fetched(names[-1])
        with suppress(EntryNotFoundError):
            fetched(CONFIG)
    return Weights(file.parent, where, sha256_of(file), file.parent.name)


def _from_url(url: str, instead: str) -> Weights:
    """Kept under a name that holds a hash of the address: files of different places are often called alike."""
    from torch.hub import get_dir

    name = Path(urlparse(url).path).name or "weights"
    file = Path(get_dir()) / "checkpoints" / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    if not file.exists():
        write_atomically(file, lambda path: _download(url, path, f"{instead}, or put the file at {file}"))
    return Weights(file, url, sha256_of(file))


def _download(url: str, path: Path, instead: str) -> None:
    from huggingface_hub.utils import tqdm

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310 (http or https)
            size = int(answer.headers.get("Content-Length") or 0)
            with tqdm(total=size or None, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:
                while piece := answer.read(PIECE):
                    file.write(piece)
                    bar.update(len(piece))
            if size and file.tell() != size:
                raise ConnectionError(f"it broke off after {file.tell()} of {size} bytes")
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        reason = printable(str(getattr(error, "reason", None) or error or type(error).__name__))
        raise ModelNotFoundError(f"can't download {printable(url)}: {reason}; {instead}") from error
