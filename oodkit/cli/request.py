"""What a command line asked for, so that the result can name it and an advised command ask for it again."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from oodkit import demo
from oodkit.cli.inputs import NamedSetError, Running, SetNames, Sets, open_sets
from oodkit.cli.loading import Loading, Subject
from oodkit.cli.options import THUMBNAILS
from oodkit.cli.overlaps import told_apart
from oodkit.errors import ImageSetError
from oodkit.scorers import parse_scorer
from oodkit.training.folder import trained_on
from oodkit.wording import printable

DEFAULTS = {"preset": "openood", "seed": 0, "device": "auto", "dtype": "auto", "thumbnails": THUMBNAILS, "baseline": "auto"}


@dataclass(frozen=True)
class Request:
    """Models, image sets and settings.

    baseline: as it was spelled. thumbnails: how many images of each set are shown. run: the folder of the run that they are from.
    """

    subjects: Sequence[Subject]
    names: SetNames
    loading: Loading
    running: Running
    scorers: Sequence[str] = ()
    preset: str = "openood"
    seed: int = 0
    baseline: str = "auto"
    thumbnails: int = THUMBNAILS
    run: Path | None = None

    def opened(self) -> "tuple[Sets, Request]":
        """The image sets, and what was asked for with the benchmark that was found; the demo's models, and those that were
        trained on its images, bring its sets.

        Raises UsageError and ImageSetError for scorers and sets that can't be used, before any work is done.
        """
        for spec in self.scorers:
            parse_scorer(spec, preset=self.preset)
        names = self.names
        if not (names.any_set or names.benchmark) and all(_is_the_demos(one.model.name) for one in self.subjects):
            fit, val = names.fit or demo.FIT, names.val or demo.VAL
            names = replace(names, id_test=demo.ID_TEST, near=demo.NEAR, far=demo.FAR, fit=fit, val=val)
        try:
            sets, names = open_sets(names, self.subjects[0].model.num_classes)
        except ImageSetError as error:
            if self.run is None:
                raise
            raise ImageSetError(f"{error}{_way_out(error, self.run)}") from error
        for model in [model for one in self.subjects for model in (one.model, one.baseline) if model is not None]:
            sets.check_labels(model)
        return told_apart(sets, names, quiet=self.running.quiet), replace(self, names=names)

    def settings(self) -> dict[str, Any]:
        """The settings of the run as a whole."""
        running = {"device": self.running.device, "dtype": self.running.dtype}
        return {"preset": self.preset, "seed": self.seed, **running, "thumbnails": self.thumbnails}

    def flags(self) -> str:
        """The options that ask for the same again, without those that choose settings: advice names the settings found."""
        sets = replace(self.names, tune={}, tune_benchmark=False)
        given = {name: value for name, value in {**self.settings(), "baseline": self.baseline}.items() if value != DEFAULTS[name]}
        own = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in given.items())
        return " ".join(part for part in (sets.flags(), self.loading.flags(), own) if part)

    def loading_flags(self) -> str:
        """Those that a command which exports the model takes: how it is loaded, and what its scorers' settings are."""
        preset = "" if self.preset == DEFAULTS["preset"] else f"--preset {self.preset}"
        return " ".join(part for part in (self.loading.flags(), preset) if part)

    def inputs(self) -> dict[str, Any]:
        """For a later command, in words and numbers that JSON has."""
        parts = {"sets": asdict(self.names), "loading": asdict(self.loading)}
        told = {
            part: {key: str(value) if isinstance(value, Path) else value for key, value in own.items()}
            for part, own in parts.items()
        }
        baselines = [None if one.baseline is None else one.baseline.name for one in self.subjects]
        return {"models": [one.model.name for one in self.subjects], "baselines": baselines, **told}


def _is_the_demos(model: str) -> bool:
    return model.startswith("demo:") or trained_on(model) == demo.FIT


def _way_out(problem: ImageSetError, run: Path) -> str:
    """Which option named the set that can't be opened, in a run that the user need not remember, and what to do."""
    if not isinstance(problem, NamedSetError):
        return f"; the image sets are those of {printable(str(run))}"
    anew = f"give {problem.option} anew" if problem.option in {"--train", "--val"} else "name MODEL and its image sets anew"
    return f"; the set of {printable(problem.option)} in {printable(str(run))}: put it back, or {anew}"
