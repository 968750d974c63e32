"""Names of classes as names of folders, on any file system, by which labels are aligned again."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

BESIDE = ("manifest.jsonl", "dropped.jsonl", "run.json", "fit.json")  # files that oodkit writes where class folders are
LONGEST = 200  # bytes; file systems take 255, and what else stands in a name is short
RESERVED = frozenset('<>:"/\\|?*%')  # on some system, and the sign that spells the others
DEVICES = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")  # no names of files on Windows


def plain(name: str) -> str:
    """The name as names are compared: letter case does not count, ``_`` is a space, and spaces are one."""
    return " ".join(name.casefold().replace("_", " ").split())


def safe_folders(names: Sequence[str]) -> tuple[str, ...]:
    """A folder's name for each class, no two alike: the class's own where that can be one, else spelled as in URLs.

    What is a path or hidden, ends in a dot, has control characters, or is the name of a file that stands beside class folders is
    spelled: ``tv/monitor`` is ``tv%2Fmonitor``, and ``run.json`` ``%72un.json``. A name that is too long is cut, with a hash behind
    it; classes that share a name get their number behind it: ``crane (134)``.
    ``align_labels`` finds the classes by these names.
    """
    return tuple(_told_apart([_spelled(name) for name in names]))


def _told_apart(names: list[str]) -> list[str]:
    alike = Counter(map(plain, names))
    if len(alike) == len(names):
        return names
    return _told_apart([f"{name} ({number})" if alike[plain(name)] > 1 else name for number, name in enumerate(names)])


def _spelled(name: str) -> str:
    edges = {0} if name.startswith((".", " ")) or DEVICES.match(name) or name.casefold() in BESIDE else set()
    edges |= {len(name) - 1} if name.endswith((".", " ")) else set()
    text = "".join(_quoted(sign) if place in edges or _is_unfit(sign) else sign for place, sign in enumerate(name))
    text = text or "%"  # which no other name is spelled as
    if len(text.encode()) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text.encode()[: LONGEST - 20].decode(errors='ignore')}%{digest}"


def _is_unfit(sign: str) -> bool:
    return sign in RESERVED or (unicodedata.category(sign)[0] in "CZ" and sign != " ")


def _quoted(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode(errors="surrogatepass"))
