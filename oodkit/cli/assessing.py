"""What ``oodkit synth quality`` does once the command line is understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from oodkit.classifier import Classifier
from oodkit.cli.command_line import command_line
from oodkit.cli.diagnosing import facts_of, show
from oodkit.cli.interruptions import kept_in_cache
from oodkit.cli.last_run import remembered
from oodkit.cli.loading import Loading, load_told
from oodkit.cli.options import Format
from oodkit.cli.progress import progress_bar
from oodkit.cli.runs import latest, require_writable
from oodkit.cli.samples import Samples, without_names
from oodkit.errors import OodkitError, UsageError
from oodkit.images import at_home, open_images
from oodkit.images.base import ImageSet
from oodkit.images.folder import images_below
from oodkit.report.qualities import document_of_quality
from oodkit.report.runs import RESULT, Run
from oodkit.run_folder import FINISHED, FIT, SYNTHESIS, TRAINING
from oodkit.synth.folder import read_run
from oodkit.synth.quality.assess import assess
from oodkit.synth.quality.found import FLOOR
from oodkit.synth.quality.inception import load_inception
from oodkit.wording import printable, without_folders

COMMAND = "oodkit synth quality --extractor"
INCEPTION = "inception"  # that of published distances, which no other command takes


@dataclass(frozen=True)
class Asked:
    """What is to be compared in which features, as the command line has it; None = not said."""

    real: str
    synthetic: Sequence[str]
    held_out: str | None
    count: int | None
    limit: int | None
    extractor: str | None
    loading: Loading
    samples: int
    device: str
    batch_size: int | None
    workers: int | None
    cache: Path | None
    seed: int
    quiet: bool


def carry_out_quality(asked: Asked, *, report: Path | None, output: Path | None, form: Format) -> None:
    """Assess the sets, store the result and print it."""
    require_writable(report, output)
    _require_result_folder(output)
    specs = named_sets(asked.synthetic)
    asked = _with_extractor(asked)
    opened = {name: _opened(spec, asked.limit) for name, spec in specs.items()}
    real = _opened(asked.real, asked.limit)
    held_out = None if asked.held_out is None else _opened(asked.held_out, asked.limit)
    extractor = _extractor(asked)
    with kept_in_cache(), progress_bar(f"{extractor.name} on", quiet=asked.quiet) as progress:
        found = assess(
            real,
            opened,
            extractor,
            held_out=held_out,
            count=asked.count,
            seed=asked.seed,
            labelled_by_it=_labelled_by(extractor, specs),
            device=asked.device,
            batch_size=asked.batch_size,
            workers=asked.workers,
            cache=asked.cache,
            progress=progress,
        )
    shown = Samples(real, opened)
    told = found if asked.samples else without_names(found)
    document = document_of_quality(
        replace(told, notes=[*found.notes, *_unfinished(specs)]),
        command=command_line(),
        settings={"count": asked.count, "limit": asked.limit, "seed": asked.seed, "samples": asked.samples},
        model=facts_of(extractor),
        sets=_set_rows(real, held_out, opened),
        samples=shown.of_classes(found, asked.samples),
        copies=shown.of_copies(found, asked.samples),
    )
    show(Run(document, thumbnails=shown.files), report=report, output=output, form=form, quiet=asked.quiet)


def named_sets(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=SET`` and ``SET`` texts by name; a set without one is called by the last part of its path.

    Raises UsageError where two have one name, or one has a name that the tables use.
    """
    specs: dict[str, str] = {}
    for text in texts:
        before, separator, after = text.partition("=")
        is_named = separator and before and after and not {"/", "\\", ":"} & set(before) and not Path(text).exists()
        name, spec = (before, after) if is_named else (without_folders(text), text)
        if name == FLOOR:
            raise UsageError(f"a synthetic set can't be named {name!r}, which the tables call the real images; give NAME={spec}")
        if name in specs:
            raise UsageError(f"two synthetic sets are named {name!r}: {specs[name]} and {spec}; give each a name, NAME=SET")
        specs[name] = spec
    return specs


def _extractor(asked: Asked) -> Classifier:
    assert asked.extractor is not None  # _with_extractor saw to it
    name, _, weights = asked.extractor.partition(":")
    if name == INCEPTION:
        return load_inception(weights or None)
    return load_told(asked.extractor, asked.loading)


def _with_extractor(asked: Asked) -> Asked:
    """The same with a classifier named: the one that was diagnosed last, which is then told on stderr, where none was."""
    if asked.extractor is not None:
        return asked
    given = asked.loading
    if given.flags() not in {"", "--allow-pickle"}:
        raise UsageError(f"{given.flags()} goes with a model: name it too, with --extractor MODEL")
    if latest(lambda _: True) is None:
        raise UsageError(
            "no classifier to measure with: give --extractor MODEL, or diagnose one here first with oodkit diagnose MODEL, "
            "which is then taken"
        )
    before = remembered(COMMAND, allow_pickle=given.allow_pickle)
    typer.echo(f"its model: {printable(before.model)}", err=True)
    return replace(asked, extractor=before.model, loading=before.loading)


def _opened(spec: str, limit: int | None) -> ImageSet:
    """As ``open_images``; ``dir:`` is what ``oodkit synth`` calls a folder."""
    if spec.startswith("dir:") and not Path(spec).exists():
        raise UsageError(f"an image set that is a folder is given by its path alone: {spec.removeprefix('dir:')}, not {spec}")
    return open_images(spec, limit=limit)


def _require_result_folder(folder: Path | None) -> None:
    """Raise UsageError for a folder that holds a synthesis, a fit, a training, or images."""
    if folder is None or not folder.is_dir() or (folder / RESULT).is_file():
        return
    kinds = {SYNTHESIS: "a synthesis", FIT: "a fit", TRAINING: "a training"}
    held = next((f"{folder} is {what} ({name})" for name, what in kinds.items() if (folder / name).is_file()), None)
    if held is None:
        image = next((one for one in images_below(str(folder)) if isinstance(one, str)), "")
        held = f"{folder} holds images, such as {printable(image)}" if image and image.count("/") <= 1 else None
    if held is not None:
        raise UsageError(f"{held}, beside which no result is written; give another folder, a new one")


def _labelled_by(extractor: Classifier, specs: Mapping[str, str]) -> list[str]:
    """The sets whose labels the very extractor gave, or that hold only images that it agrees with, as their run.json says."""
    found = []
    for name, spec in specs.items():
        asked = (_synthesis(spec) or {}).get("asked", {})
        labeller = asked.get("label_with")
        chosen = asked.get("keep_agreeing") or "quota" in asked  # what can't be told a class has its labels from the labeller
        if chosen and isinstance(labeller, dict) and labeller.get("fingerprint") == extractor.fingerprint():
            found.append(name)
    return found


def _set_rows(real: ImageSet, held_out: ImageSet | None, synthetic: Mapping[str, ImageSet]) -> list[dict[str, Any]]:
    named = [(FLOOR, "real", real), *([] if held_out is None else [("held-out", "held-out", held_out)])]
    named += [(name, "synthetic", images) for name, images in synthetic.items()]
    return [
        {
            "name": name,
            "role": role,
            "spec": one.spec,
            "fingerprint": one.fingerprint(),
            "images": len(one),
            "made_by": _made_by(one.spec),
        }
        for name, role, one in named
    ]


def _made_by(spec: str) -> dict[str, str] | None:
    """The generator of a set that ``oodkit synth`` made, and its licence; None of any other set."""
    if (run := _synthesis(spec)) is None:
        return None
    about = run.get("generator")
    known = about if isinstance(about, dict) else {}
    return {key: str(known.get(name, "unknown")) for key, name in (("generator", "spec"), ("licence", "licence"))}


def _unfinished(specs: Mapping[str, str]) -> list[str]:
    """A note for each set that ``oodkit synth`` has not finished."""
    runs = {name: _synthesis(spec) for name, spec in specs.items()}
    names = [printable(name) for name, run in runs.items() if run is not None and run["status"] != FINISHED]
    return [f"{name} is not finished: the same oodkit synth goes on with it" for name in names]


def _synthesis(spec: str) -> Mapping[str, Any] | None:
    """What the folder says of itself; None where it is none of oodkit's, or can't be read."""
    folder = Path(at_home(spec))
    try:
        return read_run(folder) if (folder / SYNTHESIS).is_file() else None
    except (OodkitError, OSError):
        return None
