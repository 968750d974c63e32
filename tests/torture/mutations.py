"""Damage and craft for files of any kind: the same random generator makes the same mutant."""

import io
import json
import random
import re
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

EVIL = b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x05false\x94\x85\x94R\x94."
ODD = [None, True, 0, -1, 1, 3, 6, 10**6, 2**63, 10**30, 1e308, "", "fc", "bank", "\x1b[31m\n", "\ud800", "x" * 9999, "../../x"]
ODD_ONES = [[], {}, [[]], [1, 2], ["bank"], ["weight"], [10**6, 10**6], [6, 3], [-1, -1], [None], {"k": 1}, {"k": [{}]}]
NO_JSON = ["", "{", "nul", "NaN", "[Infinity, 3]", "[" * 50_000, "1" * 5000, '{"k": 1e999}']
ODD_WORDS = [*map(json.dumps, [*ODD, *ODD_ONES]), *NO_JSON]
NUMBERS = [b"0", b"-1", b"1e999", b"99999999999999999999", b"4294967296", b"2147483648", b"3000000", b"0.5", b"NaN", b"1" * 5000]
DTYPES = (torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn)
SPOILT: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda tensor: torch.zeros(0),
    "a number": lambda tensor: torch.tensor(7.0),
    "less": lambda tensor: tensor.flatten()[:2],
    "fewer rows": lambda tensor: tensor[1:] if tensor.ndim else tensor,
    "fewer columns": lambda tensor: tensor[:, 1:] if tensor.ndim > 1 else tensor,
    "turned": lambda tensor: tensor.mT if tensor.ndim > 1 else tensor,
    "one more": lambda tensor: tensor[None],
    "NaN": lambda tensor: tensor * torch.nan,
    "infinite": lambda tensor: tensor.double() + torch.inf,
    "below zero": lambda tensor: -tensor.double() - 1,
    "large": lambda tensor: tensor * 1_000_000,
    "no columns": lambda tensor: tensor.new_zeros(10**12, 0),
    **{str(dtype): lambda tensor, dtype=dtype: tensor.to(dtype) for dtype in DTYPES},
}

Mutation = Callable[[bytes, random.Random], bytes]


def mutant(whole: bytes, suffix: str, rng: random.Random) -> bytes:
    """One other file in the place of this one: a third is damaged in its bytes, the rest in what they mean."""
    meant = MEANT.get(suffix)
    mutate = meant if meant is not None and rng.random() < 2 / 3 else rng.choice(DAMAGES)
    return mutate(whole, rng)


def _place(whole: bytes, rng: random.Random) -> int:
    """Every second one near an end, where headers and directories are."""
    far = len(whole) if rng.random() < 0.5 else min(len(whole), 600)
    place = rng.randrange(far) if far else 0
    return place if rng.random() < 0.7 else max(0, len(whole) - 1 - place)


def _flipped(whole: bytes, rng: random.Random) -> bytes:
    changed = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 9)) if whole else 0):
        changed[_place(whole, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(whole: bytes, rng: random.Random) -> bytes:
    place, length = _place(whole, rng), rng.choice((1, 2, 4, 8, 40, 400))
    filling = rng.choice((rng.randbytes(length), b"\x00" * length, b"\xff" * length, b"\x7f" * length))
    return whole[:place] + filling[: len(whole) - place] + whole[place + length :]


def _shortened(whole: bytes, rng: random.Random) -> bytes:
    place = _place(whole, rng)
    return whole[:place] if rng.random() < 0.5 else whole[:place] + whole[place + rng.choice((1, 3, 8, 100)) :]


def _lengthened(whole: bytes, rng: random.Random) -> bytes:
    place, start = _place(whole, rng), _place(whole, rng)
    more = rng.choice((rng.randbytes(9), b"\n", b'"', b"[" * 3000, b"\x00" * 300, EVIL, whole[start : start + 200], whole))
    return whole[:place] + more + whole[place:]


def _renumbered(whole: bytes, rng: random.Random) -> bytes:
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", whole[:20_000]))
    if not numbers:
        return _flipped(whole, rng)
    found = rng.choice(numbers)
    return whole[: found.start()] + rng.choice(NUMBERS) + whole[found.end() :]


def _swapped(whole: bytes, rng: random.Random) -> bytes:
    one, other = sorted((_place(whole, rng), _place(whole, rng)))
    size = min(rng.choice((4, 16, 64)), other - one)
    return whole[:one] + whole[other : other + size] + whole[one + size : other] + whole[one : one + size] + whole[other + size :]


def _replaced(_whole: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\n", EVIL, rng.randbytes(500), b"[" * 100_000, b"\x89PNG\r\n\x1a\n", b"PK\x05\x06" + b"\x00" * 18))


DAMAGES = (_flipped, _overwritten, _shortened, _lengthened, _renumbered, _swapped, _replaced)


def _crafted_json(whole: bytes, rng: random.Random) -> bytes:
    try:
        document = json.loads(whole)
    except ValueError:
        return _flipped(whole, rng)
    for _ in range(rng.choice((1, 1, 2))):
        document = _with_another_node(document, rng)
    return json.dumps(document).replace('"@@"', rng.choice(ODD_WORDS)).encode()


def _with_another_node(document: Any, rng: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            places.append((node, key))
            walk(node[key])

    walk(document)
    if not places:
        return "@@"
    shallow = places[: 1 + len(places) // 4] if rng.random() < 0.3 else places
    node, key = rng.choice(shallow)
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = "@@" if rng.random() < 0.7 else rng.choice([*ODD, *ODD_ONES])
    return document


def _crafted_lines(whole: bytes, rng: random.Random) -> bytes:
    lines = whole.splitlines(keepends=True)
    if not lines:
        return _replaced(whole, rng)
    place = rng.randrange(len(lines))
    lines[place] = _crafted_json(lines[place], rng).rstrip() + b"\n" if lines[place][:1] == b"{" else _odd_line(lines[place], rng)
    return b"".join([*lines, *([lines[place]] if rng.random() < 0.2 else [])])


def _odd_line(line: bytes, rng: random.Random) -> bytes:
    path, _, label = line.strip().partition(b" ")
    odd_path = rng.choice((path, b"../" * 99 + path, b"a\x00b.png", b"\xff\xfe.png", b"/etc/passwd", b"", b"x" * 9999, b"."))
    words = [word.encode(errors="surrogatepass") for word in ODD_WORDS]
    return odd_path + b" " + rng.choice((label, *words, *NUMBERS, b"{'a': '\\d'}", b"{0: " * 300)) + b"\n"


def _crafted_tensors(whole: bytes, rng: random.Random) -> bytes:
    """Without its checksum, so that what is in it is looked at."""
    tensors, size = load(whole), int.from_bytes(whole[:8], "little")
    facts = json.loads(whole[8 : 8 + size]).get("__metadata__", {})
    facts.pop("checksum", None)
    for key in rng.sample(sorted({*tensors, *facts}), k=rng.choice((1, 1, 2))):
        if rng.random() < 0.15:
            tensors.pop(key, None)
            facts.pop(key, None)
        elif key in tensors:
            tensors[key] = SPOILT[rng.choice(sorted(SPOILT))](tensors[key]).clone(memory_format=torch.contiguous_format)
        else:
            facts[key] = _odd_fact(facts[key], rng)
    return in_order(save(tensors, {key: fact.encode(errors="replace").decode() for key, fact in facts.items()}))


def in_order(whole: bytes) -> bytes:
    """A safetensors file with its words in alphabetical order; safetensors has them in another one each time."""
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + whole[8 + size :]


def _odd_fact(fact: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(ODD_WORDS)
    return _crafted_json(fact.encode(), rng).decode(errors="replace")


def _crafted_pickle(whole: bytes, rng: random.Random) -> bytes:
    found = torch.load(io.BytesIO(whole), weights_only=False)
    state = found["state_dict"]
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice([name for name, value in state.items() if isinstance(value, Tensor)])
        odd = [SPOILT[rng.choice(sorted(SPOILT))](state[key]), torch.zeros(1).expand(10**6, *state[key].shape[1:]), *ODD, *ODD_ONES]
        state[rng.choice((key, 7, key + "\x1b[31m", "module." + key))] = rng.choice(odd)
    crafted = rng.choice((found, state, {"model": found}, [state], {"state_dict": rng.choice((None, [], {}, 3))}))
    file = io.BytesIO()
    torch.save(crafted, file, _use_new_zipfile_serialization=rng.random() < 0.7)
    return file.getvalue()


MEANT: dict[str, Mutation] = {
    ".safetensors": _crafted_tensors,
    ".json": _crafted_json,
    ".jsonl": _crafted_lines,
    ".txt": _crafted_lines,
    ".pth": _crafted_pickle,
}
