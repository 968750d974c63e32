"""Weights that a path, a repository of the hub or an address names: where they lie here, and their hash."""

import hashlib
import http.client
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from oodkit.atomic import write_atomically
from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError

HUB = "hf:"
PIN = re.compile(r"#sha256=([0-9a-fA-F]*)$")
TIMEOUT_S = 30
PIECE = 2**20  # bytes that are held at once


@dataclass(frozen=True)
class Weights:
    """place: the file, or the folder that it was found in with its config.json. sha256: of the file. revision: a commit of the hub."""

    place: Path
    sha256: str
    revision: str = ""


def weights_at(where: str, files: Sequence[str], instead: str, config: str = "config.json") -> Weights:
    """The weights that a path, ``hf:OWNER/NAME[@REV]`` or a URL names, each with ``#sha256=HEX`` behind it if they are to be checked.

    files: the names that they may have in a folder or a repository, the best first; ``config`` is taken along where it is there.
    instead: what to do where they are out of reach, for the error. A URL is fetched once, into the folder of torch's hub.
    Raises ModelNotFoundError where there are none or they can't be fetched, CheckpointError where they have another hash.
    """
    raise NotImplementedError
