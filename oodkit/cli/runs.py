"""``oodkit-runs/``: where a command leaves its result, and where the next one finds what was done last."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from oodkit.errors import InputError, OodkitError, UsageError
from oodkit.processes import world_size
from oodkit.wording import printable

RUNS = Path("oodkit-runs")
SHOWN = 10  # runs that an error names


def find_run(text: str | None, kinds: Sequence[str] | None = None) -> Path:
    """The folder of a run, or its result: by a path, by a name below ``oodkit-runs/``, or, with None, of the run made last.

    kinds: those that the run made last may be of; None = those of models that were diagnosed or repaired. Says on stderr which
    one that is. Raises UsageError, with the runs there are, where there is none.
    """
    from oodkit.report.runs import RESULT

    if text is None:
        return last_run(kinds)
    problem = "there is no such folder"
    with suppress(OSError):  # the name may be longer than any file's
        for path in (Path(text), RUNS / text):
            if (path / RESULT).is_file():
                return path
            _refuse_others(path)
            if path.is_file():
                return path
            if path.is_dir():
                problem = f"the folder has no {RESULT}"
    raise UsageError(f"no run {text}: {problem}; {_there_are(_results())}")


def result_of(place: Path) -> Path:
    """The result of what ``find_run`` gives."""
    from oodkit.report.runs import RESULT

    return place / RESULT if place.is_dir() else place


def _refuse_others(path: Path) -> None:
    """Raise UsageError, with what to type instead, for a training and for synthetic images: by the folder or its document."""
    from oodkit.run_folder import SYNTHESIS, TRAINING

    folder = path.parent if path.is_file() else path
    quoted, name = shlex.quote(str(folder)), path.name if path.is_file() else None
    if (folder / TRAINING).is_file() and name in {None, TRAINING}:
        raise UsageError(f"{folder} is a training ({TRAINING}); diagnose it first: oodkit diagnose local-dir:{quoted}")
    if (folder / SYNTHESIS).is_file() and name in {None, SYNTHESIS}:
        command = f"oodkit synth quality --real SET --synthetic {quoted}"
        raise UsageError(f"{folder} holds synthetic images ({SYNTHESIS}); how good they are: {command}")


def folders_of(kind: str) -> list[Path]:
    """All ``oodkit-runs/<kind>-…``, the newest first: by their numbers, of which those above 999 have more digits."""
    return sorted(RUNS.glob(f"{kind}-*"), key=lambda path: (_number(path, kind), path.name), reverse=True)


def _number(path: Path, kind: str) -> int:
    """0 for a name that the user has given; synth-fit-001 is none of synth."""
    after = path.name.removeprefix(f"{kind}-")
    return int(after) if after.isdecimal() else 0


def begun(kind: str, read: Callable[[Path], dict[str, Any] | None]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Of ``folders_of`` the kind each with what ``read`` finds there; its UsageError counts as nothing."""
    for path in folders_of(kind):
        with suppress(UsageError):
            if (found := read(path)) is not None:
                yield path, found


def new_folder(kind: str) -> Path:
    """The next free ``oodkit-runs/<kind>-<number>``, made here and now: of two runs that end at once each has one of its own."""
    number = max((_number(path, kind) for path in folders_of(kind)), default=0)
    while True:
        number += 1
        folder = RUNS / f"{kind}-{number:03}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise OodkitError(f"can't make {folder}: {error.strerror or error}; give --output FOLDER") from error


def taken_up(
    kind: str,
    output: Path | None,
    asked: Mapping[str, Any],
    read: Callable[[Path], dict[str, Any] | None],
    require_same: Callable[[Path, Mapping[str, Any], Mapping[str, Any]], object],
) -> tuple[Path, dict[str, Any] | None]:
    """The folder of a training or a fit, and its document, where it was begun before.

    output: None = that of the newest run of this kind that was asked for the same, else a new one. read, require_same: those of
    the kind. Raises UsageError where ``output`` holds something else.
    """
    from oodkit.training.folder import differences

    if output is not None:
        before = read(output)
        if before is not None:
            require_same(output, before["asked"], asked)
        return output, before
    same = (one for one in begun(kind, read) if not differences(one[1]["asked"], asked))
    return next(same, None) or (new_folder(kind), None)


def require_writable(report: Path | None, output: Path | None) -> None:
    """Raise UsageError, before any work is done, where the report or the result could not be written afterwards.

    So too where files that are not a run's would be lost.
    """
    from oodkit.report.runs import DETECTOR, HEAD, RESULT, SCORES

    if report is not None:
        require_page(report, "--report")
    _require_place(output or RUNS, output or RUNS, "--output FOLDER")
    there = [name for name in (RESULT, SCORES, HEAD, DETECTOR) if output is not None and (output / name).is_file()]
    if output is not None and there and not _is_run(output):
        raise UsageError(f"{output} has a {there[0]} and no result of oodkit's beside it; give --output FOLDER, a new one")


def _is_run(folder: Path) -> bool:
    from oodkit.report.loading import EVERY_KIND, read_json
    from oodkit.report.runs import RESULT

    try:
        return read_json(folder / RESULT)["kind"] in EVERY_KIND
    except (InputError, KeyError, TypeError):
        return False


def require_page(path: Path, option: str) -> None:
    """Raise UsageError where the page that ``option`` names could not be written, or would be taken for something else."""
    require_writable_file(path, option)
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"{option} {path} would hold a page of HTML; give FILE.html, or --format for another form")


def require_writable_file(path: Path, option: str) -> None:
    """Raise UsageError where the file that ``option`` names could not be written."""
    if path.is_dir() or not path.name:
        raise UsageError(f"{option} {path} is a folder; give the name of a file, such as report.html")
    _require_place(path, path.absolute().parent, f"{option} FILE")


def require_folder(folder: Path | None) -> None:
    """Raise UsageError where no run could be written into the folder, or where each of several processes would make its own."""
    if folder is not None:
        _require_place(folder, folder, "--output FOLDER")
    elif world_size() > 1:
        raise UsageError("several processes write into one folder: name it, -o DIR")


def _require_place(path: Path, folder: Path, remedy: str) -> None:
    """Raise UsageError, of the path, where nothing can be written into the folder.

    By a folder that is made there and removed: what root may write, or a full disk takes, no permission tells.
    """
    try:
        nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        with TemporaryDirectory(prefix=".oodkit-", dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"can't write to {path}: {error.strerror or error}; give {remedy} where you can") from error


def last_run(kinds: Sequence[str] | None = None) -> Path:
    """The folder of the run that was made last, of any of these kinds; named on stderr. Raises UsageError without one."""
    found = latest(lambda _: True, kinds)
    if found is None:
        raise UsageError(f"no run to take; {_there_are(_results())}")
    typer.echo(f"the run made last: {named(*found)}", err=True)
    return found[1]


def latest(wanted: Callable[[Mapping[str, Any]], bool], kinds: Sequence[str] | None = None) -> tuple[datetime, Path] | None:
    """When the last of the runs ended whose result is wanted, as that says, and its folder; None where there is none."""
    found = [(_made(path, wanted, kinds), path) for path in _results()]
    made = [(when, path.stat().st_mtime_ns, path.parent) for when, path in found if when is not None]
    when, _, folder = max(made, default=(None, 0, None))
    return None if when is None or folder is None else (when, folder)


def named(when: datetime, folder: Path) -> str:
    """The folder of a run, and when it ended."""
    return f"{folder}, {when:%Y-%m-%d %H:%M:%S} UTC"


def _made(path: Path, wanted: Callable[[Mapping[str, Any]], bool], kinds: Sequence[str] | None) -> datetime | None:
    """When a run ended, as its result says; None for a result that is not wanted, and for one that can't be read."""
    from oodkit.report.document import KINDS
    from oodkit.report.loading import read_json

    try:
        document = read_json(path)
        fits = document["kind"] in (kinds or KINDS) and wanted(document)
        return datetime.fromisoformat(document["created"]).astimezone(UTC) if fits else None
    except (InputError, ValueError, OverflowError, KeyError, TypeError):
        return None


def _results() -> list[Path]:
    from oodkit.report.runs import RESULT

    return sorted(path for path in RUNS.glob(f"*/{RESULT}") if path.is_file())


def _there_are(results: Sequence[Path]) -> str:
    if not results:
        return f"{RUNS} has none yet, oodkit diagnose MODEL makes one; or give the path of a run's folder"
    names = ", ".join(printable(path.parent.name) for path in results[-SHOWN:])
    before = f"{len(results) - SHOWN} more and " if len(results) > SHOWN else ""
    return f"{RUNS} has {before}{names}; or give the path of a run's folder"
