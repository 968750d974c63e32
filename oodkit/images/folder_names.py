"""Names of classes as names of folders, on any file system, by which labels are aligned again."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from oodkit.run_folder import FIT, SYNTHESIS

BESIDE = ("manifest.jsonl", "dropped.jsonl", SYNTHESIS, FIT)  # files that oodkit writes where class folders are
MOST, LONGEST = 255, 200  # bytes: of a name on a file system, and of one here, behind which a number may stand
RESERVED = frozenset('<>:"/\\|?*%')  # on some system, and the sign that spells the others
SPELLED = re.compile(r"%(?=[0-9A-Fa-f]{2})|^%$")  # so that what was spelled once stays as it is
DEVICES = re.compile(r"(?i:con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(?=\.|$)")  # no names of files on Windows


def plain(name: str) -> str:
    """The name as names are compared: letter case does not count, ``_`` is a space, and spaces are one.

    Nor does it count whether ``ü`` is one sign or ``u`` and two dots, as some file systems have it.
    """
    return " ".join(unicodedata.normalize("NFC", name.casefold()).replace("_", " ").split())


def safe_folders(names: Sequence[str]) -> tuple[str, ...]:
    """A folder's name for each class, no two alike: the class's own where that can be one, else spelled as in URLs.

    What is a path or hidden, ends in a dot, has control characters, or is the name of a file that stands beside class folders is
    spelled: ``tv/monitor`` is ``tv%2Fmonitor``, and ``run.json`` ``%72un.json``. A name that is too long is cut, with a hash behind
    it; classes that share a name get their number behind it: ``crane (134)``. Names that this gave stay as they are.
    ``align_labels`` finds the classes by these names.
    """
    return tuple(_told_apart([_spelled(name) for name in names]))


def is_safe_folder(name: str) -> bool:
    """Whether a folder can be called so on any file system, as those are that ``safe_folders`` names."""
    return bool(name) and _fit(name) == name and len(name.encode()) <= MOST


def _told_apart(names: list[str]) -> list[str]:
    alike = Counter(map(plain, names))
    if len(alike) == len(names):
        return names
    return _told_apart([f"{name} ({number})" if alike[plain(name)] > 1 else name for number, name in enumerate(names)])


def _spelled(name: str) -> str:
    text = _fit(name) or "%"  # which no other name is spelled as
    if len(text.encode()) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    begin = text.encode()[: LONGEST - 20].decode(errors="ignore")
    return f"{re.sub('%[0-9A-F]?$', '', begin)}%{digest}"  # no sign is cut in two


def _fit(name: str) -> str:
    """The name, its signs spelled that no folder should have there."""
    edges = {0} if name.startswith((".", " ")) or DEVICES.match(name) or name.casefold() in BESIDE else set()
    edges |= {len(name) - 1} if name.endswith((".", " ")) else set()
    unfit = {place for place, sign in enumerate(name) if _is_unfit(sign)} - {found.start() for found in SPELLED.finditer(name)}
    return "".join(_quoted(sign) if place in edges | unfit else sign for place, sign in enumerate(name))


def _is_unfit(sign: str) -> bool:
    return sign in RESERVED or (unicodedata.category(sign)[0] in "CZ" and sign != " ")


def _quoted(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode(errors="surrogatepass"))
