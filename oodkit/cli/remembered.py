"""What a run of before was asked for, for a command that is given no model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodkit.cli.inputs import SetNames
from oodkit.cli.loading import Loading
from oodkit.cli.runs import last_run
from oodkit.errors import UsageError
from oodkit.report.loading import load_document
from oodkit.report.runs import RESULT
from oodkit.scorers import parse_scorer
from oodkit.wording import printable


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


def remembered(command: str, *, kinds: tuple[str, ...] = (), allow_pickle: bool = False) -> Remembered:
    """The run of these kinds, or of any, that was made last; it is named on stderr.

    A folder may come from anywhere, and so nothing that it says lets code run: allow_pickle is the user's own. Raises UsageError,
    which tells of ``command MODEL``, where there is no run, it is of several models, or its model is code; InputError where it is
    damaged.
    """
    folder = last_run(*kinds)
    document = load_document(folder / RESULT)
    inputs = document["inputs"]
    models = inputs["models"]
    if len(models) != 1:
        named = " or ".join(f"{command} {printable(name)}" for name in models)
        raise UsageError(f"{folder} is a run of {len(models)} models; name the one that you mean: {named}")
    (model,) = models
    if model.startswith("py:"):
        raise UsageError(f"the model of {folder} is code, {printable(model)}, which is run for its name alone: {command} MODEL …")
    sets, loading = inputs["sets"], inputs["loading"]
    known = {key: sets[key] for key in SetNames.__dataclass_fields__ if key in sets and not key.startswith("tune")}
    names = SetNames(**{**known, "data_root": _path(sets["data_root"])})
    own = Loading(**{**loading, "checkpoint": _path(loading["checkpoint"]), "allow_pickle": allow_pickle})
    specs = dict.fromkeys(row["spec"] for row in document["models"][0]["results"])
    settings = document["settings"]
    once = tuple(spec for spec in specs if parse_scorer(spec, settings["preset"]).probe() is None)
    return Remembered(folder, document["kind"], model, inputs["baselines"][0], names, own, settings, once)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
