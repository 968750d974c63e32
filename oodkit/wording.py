"""Names and numbers as every text of oodkit writes them, on a terminal as in a report; of numbers JSON and CSV have plain ones."""

import re
import unicodedata

LONGEST_REASON = 300  # characters of an error that is quoted
DASH = "–"  # where there is no number
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # bidirectional controls
FROM_ELSEWHERE = re.compile(r"(hf|hf-hub|torch|torchvision|demo):(?![/.~])")


def decimal(value: float, digits: int) -> str:
    """With a true minus sign: ``−0.79``, which what rounds to 0 has none of."""
    return f"{value:z.{digits}f}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    """With its sign, for what may be of either: ``+0.03``, ``−0.79``."""
    return f"{value:+z.{digits}f}".replace("-", "−")


def percent(fraction: float, digits: int = 1) -> str:
    """``89.6 %``, of 0.896."""
    return f"{decimal(100 * fraction, digits)} %"


def number(value: float | None, digits: int = 2, scale: float = 100, *, sign: bool = False) -> str:
    """The value times ``scale``, by default a fraction in percent or a difference of such in points; a dash for None."""
    return DASH if value is None else (signed if sign else decimal)(scale * value, digits)


def counted(count: int, one: str, several: str) -> str:
    """``1 image``, ``40 images``."""
    return f"{count:d} {one if count == 1 else several}"


def size(count: int) -> str:
    """Of so many bytes: ``0.3 MB``, ``12.5 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def gib(count: int) -> str:
    """``9.77 GiB``, of so many bytes."""
    return f"{count / 2**30:.3g} GiB"


def p_value(p: float) -> str:
    """``0.0581``, ``0.58``; of what lies below 0.0001 only that it does: ``< 0.0001``."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def p_told(p: float, sign: str = "=") -> str:
    """The same in a sentence: ``p = 0.0581``, ``p < 0.0001``."""
    shown = p_value(p)
    return f"p {shown}" if shown.startswith("<") else f"p {sign} {shown}"


def printable(text: str) -> str:
    r"""The text on one line; what would be obeyed, or no file can hold, is spelled as Python spells it: ``\x1b``, ``\u202e``.

    File and set names come from outside: they can hold escape codes and line breaks, which a terminal obeys, marks that turn
    the direction of what follows, also on a page, and bytes that are no UTF-8.
    """
    return text if text.isprintable() else "".join(ascii(char)[1:-1] if _acts(char) else char for char in text)


def in_short(said: object, longest: int = LONGEST_REASON) -> str:
    """On one line, printable and cut: an error or a value from outside, as a sentence quotes it. A name keeps its own spaces."""
    return printable(" ".join(str(said).split()))[:longest]


def first_line(error: BaseException) -> str:
    """The first line of what an error says, printable, or its type where it says nothing: PyTorch adds many that help nobody."""
    return printable(next(iter(str(error).strip().splitlines()), type(error).__name__))


def raised(error: BaseException) -> str:
    """``KeyError: 'weight'``, on one line, its middle left out where it is long: what a stranger's code raised."""
    text = printable(" ".join(str(error).split()))
    short = text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON * 2 // 3]} … {text[-LONGEST_REASON // 3 :]}"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def without_folders(name: str) -> str:
    """The name of a model or an image set, of a path its last part: where files lie is nobody else's business."""
    return name if FROM_ELSEWHERE.match(name) else re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def _acts(char: str) -> bool:
    return char in TURNING or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
