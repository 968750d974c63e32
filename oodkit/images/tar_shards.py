"""WebDataset shards, ``wds:PATH`` or ``wds:URL``: tar files whose consecutive members of one name make one sample."""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

from oodkit.atomic import write_atomically
from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet, checked_labels
from oodkit.images.decode import decode, image_extensions
from oodkit.images.torch_sets import data_folder
from oodkit.wording import in_short, printable


class Sample(NamedTuple):
    """One image: its name, its label (−1 without a ``.cls`` member), and the bytes of its shard that hold it."""

    name: str
    label: int
    start: int
    size: int


class TarSet(ImageSet):
    """The images of tar files, found once by reading the headers and from then on by position, in any order."""

    def __init__(self, spec: str, shards: list[Path]) -> None:
        self.spec, self._shards = spec, shards
        samples = [(number, sample) for number, shard in enumerate(shards) for sample in _samples(shard)]
        self.labels = checked_labels(np.array([sample.label for _, sample in samples], dtype=np.int64), len(samples), spec)
        self._places = np.array([(number, sample.start, sample.size) for number, sample in samples], dtype=np.int64).reshape(-1, 3)
        self._names = [sample.name for _, sample in samples]

    def source(self, index: int) -> IO[bytes]:
        shard, start, size = (int(value) for value in self._places[index])
        with self._shards[shard].open("rb") as file:
            file.seek(start)
            return io.BytesIO(file.read(size))

    def stored_size(self, index: int) -> int:
        return int(self._places[index, 2])

    def load(self, index: int) -> Image.Image:
        return decode(self.source(index))

    def image_name(self, index: int) -> str:
        return printable(self._names[index])

    def fingerprint(self) -> str:
        """A hash of the labels, the places, and each shard's path, size and time of change."""
        digest = hashlib.blake2b(self.labels.tobytes() + self._places.tobytes(), digest_size=16)
        for shard in self._shards:
            facts = shard.stat()
            digest.update(os.fsencode(shard.resolve()) + b" %d %d\n" % (facts.st_size, facts.st_mtime_ns))
        return digest.hexdigest()


def open_tar_set(name: str, root: Path | None) -> TarSet:
    """``name``: a path or URL of one shard or, with braces, of several: ``val-{000..049}.tar``; ``|50000`` after it is ignored.

    A relative path is below ``root``, or else here. A URL's shards are fetched once, whole, to ``root`` (or ``OODKIT_DATA``), so
    that images have positions, extraction can go on where it stopped, and labels are known beforehand. timm's reader is not used:
    it drops samples without a label, or that can't be decoded, uncounted. Raises ImageSetError where a shard is missing or damaged.
    """
    spec = f"wds:{name}"
    urls = _expanded(re.sub(r"\|\d+$", "", name))
    if "://" in name or name.startswith("pipe:"):
        folder = data_folder(root, spec)
        return TarSet(spec, [_fetched(url, folder) for url in urls])
    shards = [(root or Path()) / url for url in urls]
    if missing := [shard for shard in shards if not shard.is_file()]:
        raise ImageSetError(f"{spec}: {len(missing)} of {len(shards)} shards are missing, such as {missing[0]}; check the path")
    return TarSet(spec, shards)


def _expanded(pattern: str) -> list[str]:
    """Each ``{000..011}`` is replaced by the numbers, as wide as the first one, and each ``{a,b}`` by the words."""
    found = re.search(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}", pattern)
    if found is None:
        return [pattern]
    first, last, words = found.groups()
    parts = words.split(",") if words else [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
    rests = _expanded(pattern[found.end() :])
    return [pattern[: found.start()] + part + rest for part in parts for rest in rests]


def _samples(shard: Path) -> Iterator[Sample]:
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = ((*_key_and_field(member.name), member) for member in _onwards(tar) if member.isfile())
            for _, group in groupby(members, itemgetter(0)):
                fields = {field: member for _, field, member in group}
                image = next((fields[field] for field in fields if f".{field}" in image_extensions()), None)
                if image is not None:
                    yield Sample(image.name, _label(file, fields.get("cls")), image.offset_data, image.size)
            # tarfile takes a damaged header, and the end of a file cut short, for the end of the archive, which is a block of zeros
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"no sound header and no end of the archive at byte {tar.offset}")
    except ImageSetError:
        raise
    except Exception as error:  # tarfile raises anything on a damaged header
        told = f"can't read {shard}: {in_short(error) or type(error).__name__}"
        raise ImageSetError(f"{told}; a shard is an uncompressed tar file: unpack or fetch it again") from error


def _onwards(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, to the first whose size is below 0, from where older versions of Python go back and never come to an end."""
    for member in tar:
        if member.size < 0:
            raise tarfile.ReadError(f"{member.name} has a size below 0")
        yield member


def _key_and_field(name: str) -> tuple[str, str]:
    """The folder and name up to the first dot, and what follows that dot: WebDataset's sample key and field."""
    folder, slash, file = name.rpartition("/")
    stem, _, field = file.partition(".")
    return folder + slash + stem, field.lower()


def _label(shard: IO[bytes], member: tarfile.TarInfo | None) -> int:
    if member is None:
        return -1
    shard.seek(member.offset_data)
    text = shard.read(min(member.size, 32)).decode(errors="replace").strip()
    if not re.fullmatch(r"-1|[0-9]{1,9}", text):
        raise ImageSetError(f"{shard.name}, {member.name}: expected a class index of −1 or more, got {text!r}")
    return int(text)


def _fetched(url: str, folder: Path) -> Path:
    name = re.sub(r"[^\w.-]", "_", url.rpartition("/")[2])[-80:]
    file = folder / "wds" / f"{hashlib.blake2b(url.encode(), digest_size=6).hexdigest()}-{name}"
    if file.exists():
        return file
    try:
        from webdataset.gopen import gopen
    except ImportError as error:
        raise ImageSetError(f"wds:{url} needs the package webdataset: pip install 'oodkit[wds]'") from error

    def fetch(temporary: Path) -> None:
        with gopen(url) as source, temporary.open("wb") as target:
            _copy(source, target)

    try:
        write_atomically(file, fetch)
    except Exception as error:  # every scheme of webdataset (curl, S3, pipes …) has errors of its own
        reason = in_short(error)
        raise ImageSetError(f"can't fetch {url}: {reason}; check the URL and the network, or fetch it by other means") from error
    return file


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(1 << 20):
        target.write(piece)
