"""The benchmarks of OpenOOD v1.5, on its own folder layout and image lists.

Names, lists and image counts: ``openood/evaluation_api/datasets.py`` of Jingkang50/OpenOOD and Zhang et al., arXiv 2306.09301.
A list of one benchmark is never that of another, not even for the same data set (CIFAR-10 and CIFAR-100 have different Places365).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from oodkit.errors import ImageSetError, UnreadableImageError, UsageError
from oodkit.images.base import ImageSet
from oodkit.images.files import FileSet
from oodkit.images.imglist import open_list, read_list
from oodkit.images.limited import limited

LISTS = "benchmark_imglist"
CLASSIC, LARGE = "images_classic", "images_largescale"


@dataclass(frozen=True)
class Listed:
    """A list below ``benchmark_imglist``, the folder that its paths start at, and how many images it holds, where that is known."""

    file: str
    folder: str
    count: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """Sets by name. id: train, val and test. ood_val: for choosing hyper-parameters. shifted: ID under covariate shift."""

    name: str
    title: str
    num_classes: int
    id: Mapping[str, Listed]
    ood_val: Mapping[str, Listed]
    near: Mapping[str, Listed]
    far: Mapping[str, Listed]
    shifted: Mapping[str, Listed]

    def groups(self) -> dict[str, Mapping[str, Listed]]:
        return {"id": self.id, "ood_val": self.ood_val, "near": self.near, "far": self.far, "shifted": self.shifted}

    def sets(self) -> dict[str, Listed]:
        return {name: listed for group in self.groups().values() for name, listed in group.items()}


def _cifar(own: str, other: str, counts: Mapping[str, int], shifted: Mapping[str, Listed]) -> Benchmark:
    def lists(split: str, names: tuple[str, ...]) -> dict[str, Listed]:
        return {name: Listed(f"{own}/{split}_{name}.txt", CLASSIC, counts[name]) for name in names}

    classes = int(own.removeprefix("cifar"))
    sizes = {"train": 50000, "val": 1000, "test": 9000}
    return Benchmark(
        own,
        f"CIFAR-{classes}",
        classes,
        id={split: Listed(f"{own}/{split}_{own}.txt", CLASSIC, count) for split, count in sizes.items()},
        ood_val={"val_tin": Listed(f"{own}/val_tin.txt", CLASSIC, counts.get("val_tin"))},
        near=lists("test", (other, "tin")),
        far=lists("test", ("mnist", "svhn", "texture", "places365")),
        shifted=shifted,
    )


def _imagenet(name: str, own: str, classes: int, sizes: Mapping[str, int], shifted: Mapping[str, int | None]) -> Benchmark:
    def lists(counts: Mapping[str, int]) -> dict[str, Listed]:
        # the textures without ImageNet's classes lie among the small images
        return {
            one: Listed(f"{own}/test_{one}.txt", CLASSIC if one == "textures" else LARGE, count) for one, count in counts.items()
        }

    return Benchmark(
        name,
        f"ImageNet-{'1K' if classes == 1000 else classes}",
        classes,
        id={split: Listed(f"{own}/{split}_{own}.txt", LARGE, count) for split, count in sizes.items()},
        ood_val={"val_openimage_o": Listed(f"{own}/val_openimage_o.txt", LARGE, 1763)},
        near=lists({"ssb_hard": 49000, "ninco": 5879}),
        far=lists({"inaturalist": 10000, "textures": 5160, "openimage_o": 15869}),
        shifted={f"imagenet_{one}": Listed(f"{own}/test_{own}_{one}.txt", LARGE, count) for one, count in shifted.items()},
    )


_SHARED = {"mnist": 70000, "svhn": 26032, "texture": 5640}
BENCHMARKS: Mapping[str, Benchmark] = {
    one.name: one
    for one in (
        _cifar(
            "cifar10",
            "cifar100",
            {"cifar100": 9000, "tin": 7793, "places365": 35195, "val_tin": 1000, **_SHARED},
            {"cifar10c": Listed("cifar10/test_cifar10c.txt", CLASSIC, 10000)},
        ),
        _cifar("cifar100", "cifar10", {"cifar10": 10000, "tin": 6526, "places365": 33773, **_SHARED}, {}),
        _imagenet(
            "imagenet-200", "imagenet200", 200, {"train": 258951, "val": 1000, "test": 9000}, {"v2": None, "c": None, "r": None}
        ),
        _imagenet(
            "imagenet-1k",
            "imagenet",
            1000,
            {"train": 1281167, "val": 5000, "test": 45000},
            {"v2": None, "c": None, "r": 30000, "es": None},
        ),
    )
}


def benchmark_for(num_classes: int) -> Benchmark | None:
    """The benchmark whose ID set has so many classes."""
    return next((one for one in BENCHMARKS.values() if one.num_classes == num_classes), None)


def open_benchmark_set(
    benchmark: Benchmark | str, set_name: str, data_root: str | PathLike[str], *, limit: int | None = None
) -> ImageSet:
    """One set of a benchmark by its name in ``Benchmark.sets``: ``train``, ``val``, ``test``, ``ninco``, ``val_tin``, …

    ``data_root`` is OpenOOD's ``data`` folder or the folder that it is in. Raises ImageSetError where the list or all of its images
    are missing, UsageError where the benchmark has no such set.
    """
    benchmark = benchmark_named(benchmark)
    if set_name not in benchmark.sets():
        raise UsageError(f"{benchmark.name} has no set {set_name!r}; it has {', '.join(benchmark.sets())}")
    listed, root = benchmark.sets()[set_name], _data_folder(Path(data_root))
    file = root / LISTS / listed.file
    next_step = f"run oodkit data check {benchmark.name} to see what is there"
    if not file.is_file():
        what = f"{benchmark.name} needs OpenOOD's image list {file}, which is not there"
        raise ImageSetError(f"{what}; {next_step} (plain folders without lists are named with --id, --near and --far)")
    try:
        images = open_list(file, f"{benchmark.name}/{set_name}", root / listed.folder)
    except ImageSetError as error:
        raise ImageSetError(f"{error}; {next_step}") from error
    if not len(images):
        raise ImageSetError(f"{file} lists no images; {next_step}")
    return images if limit is None else limited(images, limit)


@dataclass(frozen=True)
class SetCheck:
    """What is there of one set. ``unreadable``: names and reasons, None where the images were not decoded."""

    benchmark: str
    name: str
    group: str
    list_file: str
    list_found: bool
    expected: int | None
    listed: int = 0
    present: int = 0
    unreadable: tuple[tuple[str, str], ...] | None = None
    problem: str | None = None

    def __str__(self) -> str:
        label = f"{self.benchmark}  {self.group:<8} {self.name:<16}"
        if self.problem is not None:
            return f"{label} {self.problem}"
        expected = "" if self.expected in {None, self.listed} else f" ({self.expected} expected)"
        unreadable = "" if self.unreadable is None else f", {len(self.unreadable)} unreadable"
        return f"{label} {self.present} of {self.listed} images{expected}{unreadable}"


def check_benchmark(name: str, data_root: str | PathLike[str], *, verify: bool = False) -> Iterator[SetCheck]:
    """One row a set, as it is looked at: the list, the images expected, listed and present and, with ``verify``, unreadable ones.

    A set that is missing is a row. Raises UsageError where there is no such benchmark, ImageSetError where there is no such folder.
    """
    benchmark = benchmark_named(name)
    if not Path(data_root).is_dir():
        raise ImageSetError(f"no folder {data_root}; name OpenOOD's data folder with --data-root or OODKIT_DATA")
    root = _data_folder(Path(data_root))
    rows = ((group, one, listed) for group, sets in benchmark.groups().items() for one, listed in sets.items())
    return (_check(benchmark.name, group, one, listed, root, verify) for group, one, listed in rows)


def _check(benchmark: str, group: str, name: str, listed: Listed, root: Path, verify: bool) -> SetCheck:
    file = root / LISTS / listed.file
    facts = (benchmark, name, group, str(file))
    if not file.is_file():
        return SetCheck(*facts, list_found=False, expected=listed.count, problem=f"no list {file}")
    try:
        paths, labels = read_list(file)
    except ImageSetError as error:
        return SetCheck(*facts, list_found=True, expected=listed.count, problem=str(error))
    images = FileSet(name, root / listed.folder, paths, labels)
    present = [index for index in range(len(images)) if images.exists(index)]
    unreadable = tuple(_unreadable(images, present)) if verify else None
    return SetCheck(*facts, True, listed.count, len(images), len(present), unreadable)


def _unreadable(images: FileSet, indices: list[int]) -> Iterator[tuple[str, str]]:
    for index in indices:
        try:
            images.load(index)
        except UnreadableImageError as error:
            yield images.image_name(index), str(error)


def benchmark_named(benchmark: Benchmark | str) -> Benchmark:
    """Raises UsageError where none of ``BENCHMARKS`` is called so."""
    if isinstance(benchmark, Benchmark):
        return benchmark
    if benchmark not in BENCHMARKS:
        raise UsageError(f"no benchmark {benchmark!r}; choose from {', '.join(BENCHMARKS)}")
    return BENCHMARKS[benchmark]


def _data_folder(data_root: Path) -> Path:
    below = data_root / "data"
    return below if (below / LISTS).is_dir() and not (data_root / LISTS).is_dir() else data_root
