"""Files that appear whole or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from oodkit.errors import OodkitError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with a temporary name beside ``path`` and rename what it wrote to ``path``.

    A reader never sees half a file, whatever happens to the process; two processes that write the same path each leave a whole
    file. Raises OodkitError where the disk is full or the folder can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OodkitError(f"can't write {path}: {reason}; free some space or choose another folder") from error
    finally:
        with suppress(OSError):  # where nothing could be written, there is nothing to remove either
            temporary.unlink()
