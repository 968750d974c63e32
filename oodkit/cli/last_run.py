"""What a run of before was asked for, for a command that is given no model."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from oodkit.cli.inputs import NO_SET, SetNames
from oodkit.cli.loading import Loading, load_subjects
from oodkit.cli.request import Request
from oodkit.cli.runs import last_run, latest, named
from oodkit.errors import InputError, UsageError
from oodkit.models.untrusted import stored_source
from oodkit.processes import rank
from oodkit.report.document import REPAIR
from oodkit.report.loading import load_document
from oodkit.report.runs import RESULT
from oodkit.scorers import parse_scorer
from oodkit.wording import printable

WITH_A_MODEL = {
    "id_test": "--id",
    "near": "--near",
    "far": "--far",
    "benchmark": "--benchmark",
    "arch": "--arch",
    "checkpoint": "--checkpoint",
    "input_size": "--input-size",
    "mean": "--mean",
    "std": "--std",
    "model_arg": "--model-arg",
    "allow_pickle": "--allow-pickle",
}


@dataclass(frozen=True)
class Remembered:
    """Of a run that is over: its folder and kind, the model and its baseline, the sets and the settings.

    scorers: as their settings were found, but for those that run the network again.
    """

    folder: Path
    kind: str
    model: str
    baseline: str | None
    names: SetNames
    loading: Loading
    settings: Mapping[str, Any]
    scorers: tuple[str, ...]


def remembered(command: str, *, allow_pickle: bool = False, takes_sets: bool = False) -> Remembered:
    """The run that was made last, of any kind; it is named on stderr.

    takes_sets: whether the command takes image sets and a baseline too.

    A folder may come from anywhere, and so nothing that it says lets code run: allow_pickle is the user's own. Raises UsageError,
    which tells of ``command MODEL``, where there is no run, it is of several models, or no file may have its model loaded (see
    ``models.untrusted``); InputError where it is damaged.
    """
    folder = last_run()
    document = load_document(folder / RESULT)
    inputs, settings = document["inputs"], document["settings"]
    if len(inputs["models"]) != 1:
        each = " or ".join(f"{command} {printable(name)}" for name in inputs["models"])
        raise UsageError(f"{folder} is of {len(inputs['models'])} models: name the one that you mean, {each}, and its image sets")
    (model,) = inputs["models"]
    sets = inputs["sets"]
    known = {key: value for key, value in sets.items() if key in SetNames.__dataclass_fields__ and not key.startswith("tune")}
    names = SetNames(**{**known, "data_root": _path(sets["data_root"])})
    own = _loading(inputs, allow_pickle=allow_pickle)
    baseline = inputs["baselines"][0]
    try:
        _require_harmless(folder, model, baseline, own)
    except InputError as error:
        asked = [names.flags(), f"--baseline {shlex.quote(baseline)}" if baseline else ""] if takes_sets else []
        words = " ".join(part for part in (command, shlex.quote(model), own.flags(), *asked) if part)
        raise UsageError(f"{folder} does not load its model by itself, {error}; name it: {printable(words)}") from error
    specs = dict.fromkeys(row["spec"] for row in document["models"][0]["results"])
    once = tuple(spec for spec in specs if parse_scorer(spec, settings["preset"]).probe() is None)
    return Remembered(folder, document["kind"], model, baseline, names, own, settings, once)


def _require_harmless(folder: Path, model: str, baseline: str | None, loading: Loading) -> None:
    """Raise InputError for what no file may have loaded, a detector's or a run's: either may come from a stranger."""
    said = {key: value for key, value in vars(loading).items() if value and key != "allow_pickle"}
    for source in ({"name": model, **said}, {"name": baseline or model}):
        stored_source(source, 0, folder / RESULT)


def last_repair(run: Remembered) -> Path | None:
    """The folder of the augdelete run made last of the very model of ``run``; what was found is told on stderr."""

    def is_of_that_model(document: Mapping[str, Any]) -> bool:
        inputs = document["inputs"]
        same = inputs["models"] == [run.model] and _loading(inputs, allow_pickle=run.loading.allow_pickle) == run.loading
        return document["kind"] == REPAIR and same

    found = latest(is_of_that_model)
    told = f"its last repair: {named(*found)}" if found else "it was not repaired: exported as it was loaded"
    typer.echo(f"its model: {printable(run.model)}; {told}", err=True)
    return found and found[1]


def request_again(request: Request, given: Collection[str]) -> Request:
    """What the run made last was asked for, with what is given now in its place. given: the parameters on the command line.

    Says on stderr whose model and image sets are taken. Raises UsageError where there is no such run, where it had no training
    images and none are given, and for an option that goes with a model.
    """
    if unfit := [option for name, option in WITH_A_MODEL.items() if name in given]:
        raise UsageError(f"{unfit[0]} goes with a model: name it too, or leave {unfit[0]} to the run made last")
    before = remembered("oodkit augdelete", takes_sets=True)
    own = ["fit", "val", "limit", *(["data_root"] if "data_root" in given else [])]  # else it is the environment's
    names = replace(before.names, **{name: value for name in own if (value := getattr(request.names, name)) is not None})
    if names.fit == NO_SET or (names.fit is None and names.benchmark is None):
        raise UsageError(
            f"{before.folder} had no training images to refit on: give --train SET, a folder of class folders for example"
        )
    if rank() == 0:
        typer.echo(f"its model: {printable(before.model)}; its image sets: {printable(names.flags())}", err=True)
    settings = {
        name: getattr(request, name) if name in given else before.settings[name] for name in ("preset", "seed", "thumbnails")
    }
    running = {name: before.settings[name] for name in ("device", "dtype") if name not in given}
    baseline = request.baseline if "baseline" in given else before.baseline or "none"
    return replace(
        request,
        subjects=load_subjects([before.model], baseline, before.loading),
        names=names,
        loading=before.loading,
        running=replace(request.running, **running),
        scorers=request.scorers or before.scorers,
        baseline=baseline,
        run=before.folder,
        **settings,
    )


def _loading(inputs: Mapping[str, Any], *, allow_pickle: bool) -> Loading:
    loading = inputs["loading"]
    return Loading(**{**loading, "checkpoint": _path(loading["checkpoint"]), "allow_pickle": allow_pickle})


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
