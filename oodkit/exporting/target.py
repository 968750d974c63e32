"""Where an export goes: it appears whole, and takes the place of nothing but an earlier export."""

import secrets
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError, UsageError

MARK = "<!-- written by oodkit export -->"  # in every card, by which an earlier export is known
CARD = "README.md"


def card_of(target: Path, *, folder: bool) -> Path:
    """The card of an export: in the folder, or beside the file under its name."""
    return target / CARD if folder else target.with_suffix(".md")


def require_own_place(target: Path, files: Collection[str] | None = None) -> None:
    """Raise UsageError where the export would take the place of anything but an earlier one; before any work is done.

    files: the names of all that a folder of this form holds; None where the target is a file.
    """
    folder = files is not None
    if target.is_symlink() or (target.exists() and target.is_dir() != folder):
        raise UsageError(f"{target} is {'no folder' if folder else 'no file'}; give -o another name")
    card = card_of(target, folder=folder)
    if files is not None and target.is_dir():
        others = sorted(path.name for path in target.iterdir() if path.name not in files)
        if others or (any(target.iterdir()) and not _is_own(card)):
            what = others[0] if others else "files of others"
            raise UsageError(f"{target} holds {what!r}, which oodkit export has not written; give -o another name")
    elif not folder and (target.exists() or card.exists()) and not _is_own(card):
        there = target if target.exists() else card
        raise UsageError(f"{there} is there already and oodkit export has not written it; give -o another name")


def place_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Call ``fill`` with a new folder beside ``target``, then put it in its place. Raises OodkitError where that can't be."""
    beside = target.absolute()
    new, old = (beside.with_name(f".{beside.name}.{secrets.token_hex(4)}.{word}") for word in ("new", "old"))
    try:
        new.mkdir(parents=True)
        fill(new)
        if beside.exists():
            beside.replace(old)
        new.replace(beside)
    except OSError as error:
        raise OodkitError(f"can't write {target}: {error.strerror or error}; free some space or choose another folder") from error
    finally:
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8", "backslashreplace")))


def _is_own(card: Path) -> bool:
    try:
        with card.open("rb") as file:
            return MARK.encode() in file.read(2**16)
    except OSError:
        return False
