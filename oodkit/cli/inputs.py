"""From the words of a command line to the image sets of a run, and how they go through a network."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from oodkit.benchmarks import BENCHMARKS, Benchmark, benchmark_for, benchmark_named, open_benchmark_set
from oodkit.classifier import Classifier
from oodkit.cli.known_classes import require_known_classes
from oodkit.errors import ImageSetError, UsageError
from oodkit.forward import Dtype
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.images.synthesis import require_finished
from oodkit.scoring import require_free_names
from oodkit.wording import printable

NO_SET = "none"
BENCHMARK = "benchmark"


@dataclass(frozen=True)
class Running:
    """How the forward passes run."""

    device: str = "auto"
    dtype: Dtype = "auto"
    batch_size: int | None = None
    workers: int | None = None
    cache: Path | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Drawn:
    """What a set was drawn from: the whole, and the positions there, ascending."""

    whole: ImageSet
    rows: np.ndarray


@dataclass(frozen=True)
class Sets:
    """The image sets of one run.

    groups: "near" or "far" by OOD set. tune: OOD images to choose settings on. held_out: positions in ``fit`` of the images of
    ``val``, where they were drawn from it. drawn: of ``fit``, where it is a share. notes: what is to be said of a set, by its role
    or name.
    """

    id_test: ImageSet
    ood: Mapping[str, ImageSet]
    groups: Mapping[str, str]
    fit: ImageSet | None = None
    val: ImageSet | None = None
    tune: Mapping[str, ImageSet] = field(default_factory=dict)
    held_out: Sequence[int] = ()
    drawn: Drawn | None = None
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def named(self) -> dict[str, ImageSet]:
        """Every set by its role or name, ID first."""
        roles = {"id": self.id_test, "fit": self.fit, "val": self.val}
        return {role: images for role, images in roles.items() if images is not None} | self.outside()

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Every set's by its role or name, once: of a million files it takes seconds."""
        return {name: images.fingerprint() for name, images in self.named().items()}

    def outside(self) -> dict[str, ImageSet]:
        """Every set of OOD images by its name."""
        return {**self.tune, **self.ood}

    def role(self, name: str) -> str:
        """What the set of this name is for: id, fit, val, tune, near or far."""
        return "tune" if name in self.tune else self.groups.get(name, name)

    def refuse_twins(self) -> None:
        """Raise UsageError where one set is given as two: to learn from and to test on, as ID and as OOD images."""
        known = self.fingerprints
        if known.get("fit") == known["id"]:
            raise UsageError("the training images are the very set given as --id: give images that are not tested on")
        if known.get("val") == known["id"]:
            why = "from which scorers and repairs learn"
            raise UsageError(f"the set given as --id is the very set given as --val, {why}: give others, or --val none")
        roles = {fingerprint: role for role, fingerprint in known.items() if role not in self.outside()}
        for name in self.outside():
            if role := roles.get(known[name]):
                given = "training images" if role == "fit" else f"--{role}"
                raise UsageError(f"the OOD set {name!r} is the very set given as {given}; name images of other things")

    def check_labels(self, model: Classifier) -> None:
        """Raise ImageSetError where an ID set's labels do not fit the model; before a forward pass is made.

        Images to learn from may have no labels at all: some scorers need none.
        """
        for role, images in self.named().items():
            if role not in self.outside() and (role == "id" or images.class_names or (images.labels >= 0).any()):
                require_known_classes(role, images, model)

    def ood_notes(self, name: str, model: Classifier) -> list[str]:
        """A caution where an OOD set holds classes that the model knows: those images are not OOD."""
        images = self.outside()[name]
        if images.class_names is None:
            return []
        labels, _ = align_labels(images, model.class_names, model.class_ids, num_classes=0)
        known = int((labels >= 0).sum())
        if not known:
            return []
        which = printable(images.class_names[int(images.labels[int((labels >= 0).argmax())])])
        return [f"{known} of {len(images)} images are of classes that {model.name} knows, such as {which!r}: they are not OOD"]


@dataclass(frozen=True)
class SetNames:
    """The image sets as a command line names them. tune_benchmark: whether to choose settings on a benchmark's own OOD images."""

    id_test: str | None = None
    near: Mapping[str, str] = field(default_factory=dict)
    far: Mapping[str, str] = field(default_factory=dict)
    fit: str | None = None
    val: str | None = None
    benchmark: str | None = None
    data_root: Path | None = None
    limit: int | None = None
    tune: Mapping[str, str] = field(default_factory=dict)
    tune_benchmark: bool = False

    @property
    def any_set(self) -> bool:
        return bool(self.id_test or self.near or self.far)

    def flags(self) -> str:
        """The same as command-line options."""
        words: list[tuple[str, object]] = [("--benchmark", self.benchmark), ("--data-root", self.benchmark and self.data_root)]
        words += [("--id", self.id_test), *(("--near", f"{name}={spec}") for name, spec in self.near.items())]
        words += [*(("--far", f"{name}={spec}") for name, spec in self.far.items()), ("--train", self.fit), ("--val", self.val)]
        words += [
            *(("--tune", f"{name}={spec}") for name, spec in self.tune.items()),
            ("--tune", self.tune_benchmark and BENCHMARK),
        ]
        return " ".join(f"{option} {shlex.quote(str(value))}" for option, value in [*words, ("--limit", self.limit)] if value)


class NamedSetError(ImageSetError):
    """An image set that can't be opened, with the option that named it: a run that is taken up again may have, long ago."""

    def __init__(self, option: str, problem: ImageSetError) -> None:
        super().__init__(str(problem))
        self.option = option


def open_sets(names: SetNames, num_classes: int) -> tuple[Sets, SetNames]:
    """The image sets that were named, or a benchmark's: the named one, else the one with so many classes.

    With a benchmark, ``fit`` and ``val`` go before its own training and validation images; ``none`` leaves them out. Also returns
    the names with the benchmark that was chosen. Raises UsageError where the ID set or every OOD set is missing, where sets and a
    benchmark are named both, where one set is given twice (``refuse_twins``), and for a synthesis that is not finished;
    NamedSetError for a set that can't be opened, and ImageSetError for one of a benchmark's own.
    """
    _require_own_names(names)
    if names.benchmark and names.any_set:
        raise UsageError("--benchmark names all image sets already: give it, or --id with --near and --far, not both")
    if names.benchmark or not names.any_set:
        name = _benchmark_name(names, num_classes)
        return _open_benchmark(names, BENCHMARKS[name]), replace(names, benchmark=name)
    if names.id_test is None:
        raise UsageError("no in-distribution images: give --id SET, or --benchmark NAME with --data-root DIR")
    if not names.near and not names.far:
        raise UsageError("no out-of-distribution images: give --near NAME=SET or --far NAME=SET, or --benchmark NAME")
    if names.tune_benchmark:
        raise UsageError("--tune benchmark takes a benchmark's own images: give --benchmark NAME, or --tune NAME=SET")
    sets = Sets(
        id_test=_named_set("--id", names.id_test, names.limit),
        ood={**_named_sets("--near", names.near, names.limit), **_named_sets("--far", names.far, names.limit)},
        groups={**dict.fromkeys(names.near, "near"), **dict.fromkeys(names.far, "far")},
        fit=_set_unless_none("--train", names.fit, names.limit),
        val=_set_unless_none("--val", names.val, names.limit),
        tune=_named_sets("--tune", names.tune, names.limit),
    )
    sets.refuse_twins()
    return sets, names


def _set_unless_none(option: str, spec: str | None, limit: int | None) -> ImageSet | None:
    return None if spec is None or spec == NO_SET else _named_set(option, spec, limit)


def _named_sets(option: str, specs: Mapping[str, str], limit: int | None) -> dict[str, ImageSet]:
    return {name: _named_set(f"{option} {name}", spec, limit) for name, spec in specs.items()}


def _named_set(option: str, spec: str, limit: int | None) -> ImageSet:
    try:
        return open_whole(spec, limit)
    except ImageSetError as error:
        raise NamedSetError(option, error) from error


def open_whole(spec: str, limit: int | None = None) -> ImageSet:
    """The set, as ``open_images`` gives it. Raises UsageError for a synthesis that is not finished."""
    images = open_images(spec, limit=limit)
    require_finished(images)
    return images


def _require_own_names(names: SetNames) -> None:
    """Raise UsageError where an OOD set has a name that the tables use, or two have one."""
    require_free_names([*names.near, *names.far, *names.tune])
    uses = {"near": names.near, "far": names.far, "tune": names.tune}
    for one, other in combinations(uses, 2):
        if twice := set(uses[one]) & set(uses[other]):
            raise UsageError(f"{min(twice)!r} is named as {one} and as {other}; give each set a name of its own")


def _benchmark_name(names: SetNames, num_classes: int) -> str:
    benchmark = benchmark_named(names.benchmark) if names.benchmark else benchmark_for(num_classes)
    if names.benchmark and names.data_root is None:
        raise UsageError(f"no folder to look in for {names.benchmark}: give --data-root DIR or set OODKIT_DATA")
    if benchmark is None or names.data_root is None:
        ways = "name them with --id SET and --near/--far NAME=SET, or give --benchmark NAME with --data-root DIR (or OODKIT_DATA)"
        raise UsageError(f"no image sets to diagnose on: {ways}")
    return benchmark.name


def _open_benchmark(names: SetNames, benchmark: Benchmark) -> Sets:
    root = names.data_root
    assert root is not None

    own_tune = benchmark.ood_val if names.tune_benchmark else ()
    if taken := set(names.tune) & {*benchmark.near, *benchmark.far, *own_tune}:
        raise UsageError(f"{min(taken)!r} is a set of {benchmark.name} already; give --tune another name")

    def opened(set_name: str) -> ImageSet:
        return open_benchmark_set(benchmark, set_name, root, limit=names.limit)

    sets = Sets(
        id_test=opened("test"),
        ood={one: opened(one) for one in (*benchmark.near, *benchmark.far)},
        groups={**dict.fromkeys(benchmark.near, "near"), **dict.fromkeys(benchmark.far, "far")},
        fit=opened("train") if names.fit is None else _set_unless_none("--train", names.fit, names.limit),
        val=opened("val") if names.val is None else _set_unless_none("--val", names.val, names.limit),
        tune={**{one: opened(one) for one in own_tune}, **_named_sets("--tune", names.tune, names.limit)},
    )
    sets.refuse_twins()
    return sets
