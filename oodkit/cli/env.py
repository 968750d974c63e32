"""``oodkit env``: what a bug report needs to know of where oodkit runs."""

import json
from collections.abc import Callable
from typing import Any

import typer

from oodkit.cli.options import JsonOption
from oodkit.wording import counted, printable, size

Facts = dict[str, Any]
LONGEST = 300  # characters of an error


def env(json_: JsonOption = False) -> None:
    """Print what a bug report needs: versions, devices, codecs, cache and settings. Shows no secrets; reads no images."""
    from oodkit.cli.env_facts import environment

    facts = environment()
    if json_:
        typer.echo(json.dumps(facts, indent=1))
        return
    for line in as_text(facts):
        typer.echo(printable(line))


def as_text(facts: Facts) -> list[str]:
    """A line a section and a line a package, each with its label; a section that can't be told says why."""
    lines = []
    for section, write in SECTIONS.items():
        told = facts[section]
        written = write(told) if set(told) - {"error", "errors"} else []
        written += [f"can't be told: {_short(text)}" for text in _errors(told)]
        lines += [f"{label:<10} {text}" for label, text in zip((section, *[""] * len(written)), written, strict=False)]
    return lines


def _errors(told: Facts) -> list[str]:
    within = [f"{what}: {text}" for what, text in told.get("errors", {}).items()]
    return [*([told["error"]] if told.get("error") else []), *within]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def _oodkit(told: Facts) -> list[str]:
    return [f"{told['version'] or 'not installed'}, in {told['folder']}"]


def _python(told: Facts) -> list[str]:
    return [f"{told['version']} {told['implementation']}, {told['executable']}"]


def _machine(told: Facts) -> list[str]:
    memory = f", {size(told['memory_bytes'])} of memory" if told["memory_bytes"] else ""
    return [f"{told['system']}, {counted(told['cores'], 'core', 'cores')} usable{memory}"]


def _torch(told: Facts) -> list[str]:
    parts = [f"{name} {told[key]}" for name, key in (("CUDA", "cuda"), ("ROCm", "hip"), ("cuDNN", "cudnn")) if told.get(key)]
    parts += [str(told["cpu_capability"])] if "cpu_capability" in told else []
    parts += [counted(told["threads"], "thread", "threads")] if "threads" in told else []
    gpus = [f"{one['name']} {one['model']}, {size(one['bytes'])}" for one in told.get("devices", [])]
    why = told.get("why_no_cuda")
    return [f"{told.get('version')}: {', '.join(parts)}", *(gpus or [f"no GPU{f': {_short(why)}' if why else ''}"])]


def _faiss(told: Facts) -> list[str]:
    built = f"built with {' '.join(told.get('built_with', ['?']))}"
    gpus = counted(told["gpus"], "GPU", "GPUs") if "gpus" in told else "? GPUs"
    return [f"{told.get('version')}: {built}; it sees {gpus}"]


def _images(told: Facts) -> list[str]:
    codecs = told.get("codecs", {})
    there = ", ".join(f"{name} {version}" for name, version in codecs.items() if version)
    missing = ", ".join(name for name, version in codecs.items() if not version)
    return [f"Pillow {told.get('version')}: {there}{f'; without {missing}' if missing else ''}"]


def _cache(told: Facts) -> list[str]:
    if told["is_there"] is None:
        return [f"{told['folder']}{'' if told['whole'] else ': no answer'}"]
    held = f"{'' if told['whole'] else 'more than '}{size(told['bytes'])} in {counted(told['files'], 'file', 'files')}"
    what = held if told["is_there"] else "not there yet"
    free = "" if told["free_bytes"] is None else f", {size(told['free_bytes'])} free"
    writable = {True: ", writable", False: ", not writable", None: ""}[told["writable"]]
    return [f"{told['folder']}: {what}{writable}{free}"]


def _variables(told: Facts) -> list[str]:
    known = [f"{name}={value}" for name, value in told["set"].items()]
    return [*known, *(f"{name} is set, which oodkit does not read" for name in told["unknown"])] or ["none set"]


def _packages(told: Facts) -> list[str]:
    lines = []
    for one in told["list"]:
        extra = f", for [{one['extra']}]" if one["extra"] else ""
        broken = f"; import fails: {_short(one['error'])}" if one.get("error") else ""
        lines.append(f"{one['name']} {one['version'] or 'missing'} ({one['required'] or 'any'}{extra}){broken}")
    return lines


SECTIONS: dict[str, Callable[[Facts], list[str]]] = {
    "oodkit": _oodkit,
    "python": _python,
    "machine": _machine,
    "torch": _torch,
    "faiss": _faiss,
    "images": _images,
    "cache": _cache,
    "variables": _variables,
    "packages": _packages,
}
