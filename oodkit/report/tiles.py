"""The images that a report shows, each with what is said of it."""

import re
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any

from oodkit.report.numerals import number, rank_among_others, rank_in_words

LARGEST = 4_900_000  # bytes; a report shows fewer images rather than grow beyond what a mail takes
Image = Mapping[str, Any]
ENDING = re.compile(r"(?<=.)\.[A-Za-z]{2,4}\d?$")  # of a file, such as .jpeg or .jp2
LONGEST_NAME = 24  # letters below a tile
CRISP = 64  # pixels; an image no larger is scaled up with its pixels to be seen


def within_limits(page: Callable[[int], str], lists: Sequence[Sequence[Image]], thumbnails: Mapping[str, bytes]) -> str:
    """The page with as many images of each list as there is room for. page: its text with so many, the first of each list."""
    html = page(longest(lists))
    too_much = len(html.encode()) - LARGEST
    return html if too_much <= 0 else page(fitting(lists, thumbnails, bytes_of(lists, thumbnails) - too_much))


def longest(lists: Sequence[Sequence[Image]]) -> int:
    """How many images the longest list has."""
    return max(map(len, lists), default=0)


def fitting(lists: Sequence[Sequence[Image]], thumbnails: Mapping[str, bytes], room: int) -> int:
    """How many images of each list, the first ones, fit into ``room`` bytes more than the page has without them; one at least."""
    sizes = [sum(_size(one[place], thumbnails) for one in lists if place < len(one)) for place in range(longest(lists))]
    return max(1, sum(total <= room for total in accumulate(sizes)))


def bytes_of(lists: Sequence[Sequence[Image]], thumbnails: Mapping[str, bytes]) -> int:
    """What all images take in the page."""
    return sum(_size(image, thumbnails) for images in lists for image in images)


def all_lists(models: Sequence[Mapping[str, Any]]) -> list[Sequence[Image]]:
    """Those of every model."""
    return [images for model in models if model["extremes"] for images in lists_of(model["extremes"])]


def lists_of(extremes: Mapping[str, Any]) -> list[Sequence[Image]]:
    """The lists of images: those accepted of every OOD set, and those rejected."""
    return [*extremes["accepted"].values(), extremes["rejected"]]


def tiles(images: Sequence[Image], thumbnails: Mapping[str, bytes], *, of: int | None = None) -> list[dict[str, Any]]:
    """What is shown of a list of images: of each what ``tile`` says, and ``shown``, its name without the folders of them all.

    of: how many ID images there are, where these are of them.
    """
    folders = zip(*(one["name"].split("/")[:-1] for one in images), strict=False)
    skipped = sum(len(each[0]) + 1 for each in takewhile(lambda each: len(set(each)) == 1, folders))
    return [{**tile(one, thumbnails, of=of), "shown": _short(one["name"][skipped:])} for one in images]


def _short(name: str) -> str:
    """Without its ending; of a long name the file's, and of a long one of that its end. Arrays have numbers for names."""
    stem = ENDING.sub("", name)
    if stem.isdecimal():
        return f"image {stem}"
    own = stem if len(stem) <= LONGEST_NAME else stem.rpartition("/")[2]
    return own if len(own) <= LONGEST_NAME else f"…{own[1 - LONGEST_NAME :]}"


def tile(image: Image, thumbnails: Mapping[str, bytes], *, of: int | None = None) -> dict[str, Any]:
    """What is shown of an image: what ``picture_of`` gives, and in words class, label, score and rank."""
    predicted = _class(image["predicted"], image["predicted_name"])
    label = None if image["label"] is None else _class(image["label"], image["label_name"])
    return {
        **picture_of(image, thumbnails),
        "predicted": predicted,
        "label": label,
        "score": number(image["score"], _digits(image["score"]), 1),
        "rank": rank_in_words(image["below"]) if of is None else rank_among_others(image["below"], of),
    }


def picture_of(image: Image, thumbnails: Mapping[str, bytes]) -> dict[str, Any]:
    """Its ``src`` (a data: URI, None where there is no thumbnail), whether its pixels are to be seen (``crisp``), and ``name``."""
    data = thumbnails.get(image["thumbnail"] or "")
    return {
        "src": None if data is None else f"data:{_kind(data)};base64,{b64encode(data).decode()}",
        "crisp": data is not None and _is_small(data),
        "name": image["name"],
    }


def _class(index: int, name: str | None) -> str:
    return f"class {index}" if name is None else name


def _digits(score: float) -> int:
    """Four figures or so, whatever the scorer's scale."""
    return next((digits for digits, limit in ((0, 1000), (1, 100), (2, 1)) if abs(score) >= limit), 4)


def _size(image: Image, thumbnails: Mapping[str, bytes]) -> int:
    return 4 * -(-len(thumbnails.get(image["thumbnail"] or "", b"")) // 3)


def _kind(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def _is_small(data: bytes) -> bool:
    """PNG has the size at a fixed place, which a damaged one can lack; JPEGs are never small."""
    return _kind(data) == "image/png" and len(data) >= 24 and max(struct.unpack(">II", data[16:24])) <= CRISP
