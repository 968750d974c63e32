"""Whether a folder of images is a synthesis that was stopped, for all who take it for a whole one; of its run.json nothing else."""

import json
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.images.base import ImageSet
from oodkit.images.folder import open_folder
from oodkit.run_folder import SYNTHESIS, UNFINISHED

KIND = "synthesis"


def require_finished(images: ImageSet) -> None:
    """Raise UsageError where the images are those of a synthesis that is not finished; of any other set nothing is asked."""
    folder = Path(images.spec)
    asked = _asked_of_unfinished(folder)
    if asked is not None:
        there, all_of_them = len(open_folder(folder, images.spec)), _number(asked)
        so_far = f"{there} images so far" if all_of_them is None else f"{there} of {all_of_them} images"
        raise UsageError(f"{folder} is an unfinished synthesis, {so_far}; the same oodkit synth command goes on")


def _asked_of_unfinished(folder: Path) -> dict[str, Any] | None:
    path = folder / SYNTHESIS
    try:
        document = json.loads(path.read_text("utf-8")) if path.is_file() else None  # a pipe would be waited for
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or (document.get("kind"), document.get("status")) != (KIND, UNFINISHED):
        return None
    asked = document.get("asked")
    return asked if isinstance(asked, dict) else {}


def _number(asked: dict[str, Any]) -> int | None:
    """The images that were asked for: in all, or of each class."""
    count, each, classes = asked.get("count"), asked.get("per_class"), asked.get("classes")
    if isinstance(each, int) and isinstance(classes, list):
        return each * len(classes)
    return count if isinstance(count, int) else None
