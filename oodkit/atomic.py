"""Files that appear whole or not at all."""

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from oodkit.errors import OodkitError

DAY = 24 * 60 * 60  # seconds; no write takes that long


def write_atomically(path: Path, write: Callable[[Path], object], elsewhere: str = "choose another folder") -> None:
    """Call ``write`` with a temporary name beside ``path`` and rename what it wrote to ``path``.

    A reader never sees half a file, whatever happens to the process or the machine; where several processes or threads write the
    same path, the last whole file stays. elsewhere: how another folder is chosen, for the error.
    Raises OodkitError where the disk is full or the folder can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)  # safetensors lets nobody but the owner read, and a cache may be several people's
        with temporary.open("rb+") as file:  # without this a power failure can leave the name and not the contents
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OodkitError(f"can't write {path}: {_reason(error)}; free some space or {elsewhere}") from error
    finally:
        with suppress(OSError):  # where nothing could be written, there is nothing to remove either
            temporary.unlink()


def _reason(error: OSError | SafetensorError) -> str:
    """As the system says it; safetensors only tells its number: ``I/O error: No space left on device (os error 28)``."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return getattr(error, "strerror", None) or (os.strerror(int(number[1])) if number else str(error))


def remove_stale(folder: Path) -> None:
    """Remove the temporary files in ``folder`` that killed processes left there more than a day ago."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):  # another process may be tidying too
            if time.time() - path.stat().st_mtime > DAY:
                path.unlink()
