"""From the names of models on a command line to networks and their baselines."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import typer

from oodkit.classifier import Classifier, load_classifier
from oodkit.cli.keyed import keyed, spelled
from oodkit.errors import InputError
from oodkit.models.state import SUFFIXES
from oodkit.processes import rank
from oodkit.recipe_facts import sibling_of


@dataclass(frozen=True)
class Loading:
    """How checkpoints load; None = the checkpoint's own."""

    arch: str | None = None
    checkpoint: Path | None = None
    input_size: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    allow_pickle: bool = False

    def flags(self) -> str:
        """The same as command-line options."""
        lists = {"--input-size": self.input_size, "--mean": self.mean, "--std": self.std}
        pairs: list[tuple[str, object]] = [("--arch", self.arch), ("--checkpoint", self.checkpoint)]
        pairs += [(option, ",".join(map(str, values))) for option, values in lists.items() if values]
        pairs += [("--model-arg", f"{key}={spelled(value)}") for key, value in self.model_args.items()]
        words = [f"{option} {shlex.quote(str(value))}" for option, value in pairs if value is not None]
        return " ".join(words + (["--allow-pickle"] if self.allow_pickle else []))


def loading_of(
    arch: str | None,
    checkpoint: Path | None,
    input_size: str | None,
    mean: str | None,
    std: str | None,
    model_arg: Sequence[str] | None,
    *,
    allow_pickle: bool,
) -> Loading:
    """The options of a command line, understood. Raises typer.BadParameter for what can't be."""
    size = _numbers("--input-size", input_size, int)
    square = size * 2 if size is not None and len(size) == 1 else size
    scaling = _numbers("--mean", mean, float), _numbers("--std", std, float)
    return Loading(arch, checkpoint, square, *scaling, keyed(model_arg or [], "--model-arg"), allow_pickle)


def load_told(name: str, loading: Loading) -> Classifier:
    """The classifier; of several states in its file stderr says which was taken, as the notes of a diagnosis do."""
    model = load_classifier(name, **vars(loading))
    if rank() == 0 and (taken := model.about.get("taken")):
        typer.echo(f"note: {taken}", err=True)
    return model


@dataclass(frozen=True)
class Subject:
    """A model to diagnose, the baseline to hold it against, and what is to be said of the choice."""

    model: Classifier
    baseline: Classifier | None
    notes: tuple[str, ...] = ()


def load_subjects(names: Sequence[str], baseline: str, loading: Loading) -> list[Subject]:
    """Load every model, and its baseline, before any work is done, each once.

    baseline: a name, "auto" for the plain sibling where one is known, "none". The loading options are for the user's own
    weights: where files or functions are among the names, for those alone. One model that is named in two ways, as resnet50 and as
    resnet50.a1_in1k, is one, and no baseline of itself.
    """
    asked = list(dict.fromkeys([*names, *([baseline] if baseline not in {"auto", "none"} else [])]))
    own = [name for name in asked if _is_own(name)] or asked
    loaded = {name: load_classifier(name, **(vars(loading) if name in own else {})) for name in asked}
    subjects: dict[str, Subject] = {}
    for model in [loaded[name] for name in names]:
        if model.name not in subjects:
            subjects[model.name] = Subject(model, *_baseline_of(model, baseline, loaded))
    return list(subjects.values())


def _baseline_of(model: Classifier, choice: str, loaded: dict[str, Classifier]) -> tuple[Classifier | None, tuple[str, ...]]:
    """With what is to be said where there is none. loaded: by the names that they were loaded by; a sibling comes to them."""
    if choice == "none":
        return None, ()
    sibling = sibling_of(model.name) if choice == "auto" else choice
    if sibling is None:
        return None, ("no baseline: no plain sibling of this checkpoint is known; name one with --baseline MODEL",)
    try:
        loaded[sibling] = loaded.get(sibling) or load_classifier(sibling)
    except InputError as error:
        return None, (f"no baseline: the plain sibling {sibling} can't be had ({error})",)
    return (None if loaded[sibling].name == model.name else loaded[sibling]), ()


def _is_own(name: str) -> bool:
    return name.startswith("py:") or Path(name).suffix.lower() in SUFFIXES


Number = TypeVar("Number", int, float)


def _numbers(option: str, text: str | None, kind: type[Number]) -> tuple[Number, ...] | None:
    """One to three numbers separated by commas."""
    if text is None:
        return None
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not 1 <= len(values) <= 3 or not all(map(math.isfinite, values)):
        raise typer.BadParameter(f"{text!r} is not one to three numbers separated by commas", param_hint=option)
    if option != "--mean" and min(values) <= 0:
        raise typer.BadParameter(f"{text!r} must lie above 0", param_hint=option)
    return values
