"""Where an export goes: it appears whole, and takes the place of nothing but an earlier export."""

import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from oodkit.atomic import write_atomically
from oodkit.errors import NotApplicableError, OodkitError, UsageError

MARK = "<!-- written by oodkit export -->"  # in every card, by which an earlier export is known
CARD = "README.md"


def card_of(target: Path, *, folder: bool) -> Path:
    """The card of an export: in the folder, or beside the file under its whole name, so that no two files share one."""
    return target / CARD if folder else target.with_name(f"{target.name}.md")


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
    elif not folder and not _is_own(card):
        weights = target.with_name(f"{target.name}.data")  # of a large ONNX graph
        for there in (target, card, weights):
            if there.exists() or there.is_symlink():
                raise UsageError(f"{there} is there already and oodkit export has not written it; give -o another name")


def place_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Call ``fill`` with a new folder beside ``target``, then put it in its place. Raises OodkitError where that can't be."""
    place = target.absolute()
    new, old = (place.with_name(f".{place.name}.{secrets.token_hex(4)}.{word}") for word in ("new", "old"))
    try:
        with writing(target):
            new.mkdir(parents=True)
        fill(new)
        with writing(target):
            _swap(new, place, old)
    except NotApplicableError as error:  # in the words of the place that the user named
        raise NotApplicableError(str(error).replace(str(new), str(target))) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, place: Path, old: Path) -> None:
    """``new`` in its place, or, whatever happens between the two renames, what was there."""
    try:
        if place.exists():
            place.replace(old)
        new.replace(place)
    except BaseException:  # Ctrl-C too
        if old.exists() and not place.exists():
            old.replace(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """What the disk refuses in here is told in one line: OodkitError."""
    try:
        yield
    except OSError as error:
        raise OodkitError(f"can't write {target}: {error.strerror or error}; free some space or choose another folder") from error


@contextmanager
def card_first(card: Path, text: str) -> Iterator[None]:
    """Write the card of a file, which is written in here, so that the file is known as an export even where this is killed.

    Where it fails, the card is as it was before.
    """
    before = card.read_bytes() if card.exists() else None
    write_text(card, text)
    try:
        yield
    except BaseException:
        if before is None:
            card.unlink(missing_ok=True)
        else:
            card.write_bytes(before)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8", "backslashreplace")))


def _is_own(card: Path) -> bool:
    """Whether a card was written by oodkit export."""
    try:
        with card.open("rb") as file:
            return MARK.encode() in file.read(2**16)
    except OSError:
        return False
