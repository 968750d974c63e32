"""The end of a synthesis: what is over the quota goes, the manifests are written, and the result."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from oodkit.atomic import write_atomically
from oodkit.errors import ImageSetError, OodkitError
from oodkit.run_folder import FINISHED, SYNTHESIS, Document
from oodkit.synth.folder import write_run
from oodkit.synth.journal import DROPPED, JOURNAL, MANIFEST, OVER_QUOTA, UNREADABLE, Ledger, Line, encoded
from oodkit.synth.labelling import imbalance
from oodkit.synth.planning import Plan
from oodkit.wording import printable


def finish(plan: Plan, folder: Path, ledger: Ledger, document: Document) -> Document:
    """Write the manifests and the run.json of a synthesis all of whose images are settled, and give the latter.

    manifest.jsonl has the images that are kept, by class and index, dropped.jsonl the others, if there are any.
    """
    over = _over_quota(ledger, plan.quota)
    kept, dropped = ledger.kept & ~over, ~ledger.kept | over
    reasons: Counter[str] = Counter()
    _write_lines(folder / MANIFEST, ledger.lines(_by_class(ledger, kept)))
    _write_lines(folder / DROPPED, _dropped(ledger, _by_class(ledger, dropped), over, reasons))
    for number in np.flatnonzero(over):
        of = plan.labels[ledger.label[number]].folder
        (folder / of / f"{plan.work.request(int(number)).seed}{plan.form.suffix}").unlink(missing_ok=True)
    _remove_temporary(folder, plan)
    counts = _counts(plan, ledger, kept, dropped)
    notes = list(document["notes"])
    if plan.labeller is not None and (uneven := imbalance({name: one["kept"] for name, one in counts["per_class"].items()})):
        notes.append(uneven)
    finished = document | {"status": FINISHED, "counts": counts | {"dropped": dict(sorted(reasons.items()))}, "notes": notes}
    write_run(folder, finished)
    return finished


def require_readable(plan: Plan, folder: Path, ledger: Ledger) -> None:
    """Raise ImageSetError where not one image could be had, such as of a source that is not mounted whole.

    Nothing of it stays: a source that was mended since is another, and the same command begins anew.
    """
    if ledger.kept.any() or (folder / MANIFEST).exists():
        return
    first = None
    for line in ledger.lines(np.arange(len(ledger.done))):
        if line["dropped"] != UNREADABLE:
            return
        first = first or line["detail"]
    shutil.rmtree(folder / JOURNAL, ignore_errors=True)
    (folder / SYNTHESIS).unlink(missing_ok=True)
    none = f"none of the {len(ledger.done)} images of {printable(plan.generator.spec)} could be had"
    raise ImageSetError(f"{none}, the first: {first}; mend them, and give the same command again")


def require_some(folder: Path, document: Document) -> None:
    """Raise OodkitError where a finished synthesis kept no image, with what they were dropped for and the way out."""
    counts = document["counts"]
    if not counts["kept"]:
        dropped = ", ".join(f"{number} {reason}" for reason, number in counts["dropped"].items())
        remedy = (
            "ask for a lower --min-confidence, or another generator" if "unsure" in counts["dropped"] else "ask another generator"
        )
        raise OodkitError(f"no image was kept in {folder} ({dropped}); {remedy}")


def _over_quota(ledger: Ledger, quota: int | None) -> np.ndarray:
    """(N,) bool: of each class all that are kept after the first so many."""
    over = np.zeros(len(ledger.done), bool)
    if quota is not None:
        for label in np.unique(ledger.label[ledger.kept & (ledger.label >= 0)]):
            over[np.flatnonzero(ledger.kept & (ledger.label == label))[quota:]] = True
    return over


def _by_class(ledger: Ledger, which: np.ndarray) -> np.ndarray:
    """The numbers of these images by their class, and in that by their index: the order of the work is by index."""
    numbers = np.flatnonzero(which)
    return numbers[np.argsort(ledger.label[numbers], kind="stable")]


def _dropped(ledger: Ledger, numbers: np.ndarray, over: np.ndarray, reasons: Counter[str]) -> Iterator[Line]:
    for number, line in zip(numbers, ledger.lines(numbers), strict=True):
        told = line | {"file": None, "dropped": OVER_QUOTA} if over[number] else line
        reasons[told["dropped"]] += 1
        yield told


def _counts(plan: Plan, ledger: Ledger, kept: np.ndarray, dropped: np.ndarray) -> Document:
    of_kept, of_dropped = (
        np.bincount(ledger.label[one & (ledger.label >= 0)], minlength=len(plan.labels)).tolist() for one in (kept, dropped)
    )
    per_class = {
        one.folder: {"kept": is_kept, "dropped": is_dropped}
        for one, is_kept, is_dropped in zip(plan.labels, of_kept, of_dropped, strict=True)
    }
    return {"made": len(kept), "kept": int(kept.sum()), "per_class": per_class}


def _write_lines(path: Path, lines: Iterable[Line]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.writelines(map(encoded, lines))

    write_atomically(path, write)
    if not path.stat().st_size and path.name == DROPPED:
        path.unlink()


def _remove_temporary(folder: Path, plan: Plan) -> None:
    """What killed processes left half-written: there is none at work on an image any more."""
    for place in (folder, *(folder / one.folder for one in plan.labels)):
        for path in place.glob(".*.tmp"):
            with suppress(OSError):
                path.unlink()
