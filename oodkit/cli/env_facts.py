"""What a bug report needs to know of oodkit's surroundings. Nothing here fails: what can't be told is an ``error`` in its place."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from oodkit.cli.private import without_private
from oodkit.processes import usable_cores

Facts = dict[str, Any]
LONGEST_CHECK = 120  # seconds for all imports: torch alone takes a minute from a slow network drive
LONGEST_WALK = 2  # seconds for the cache, which may hold a million files or lie on a drive that no longer answers
CHECKS = Path(__file__).with_name("env_checks.py")
ALWAYS_CHECKED = ("PIL", "torch", "faiss")
MODULES = {"faiss-cpu": "faiss", "faiss-gpu": "faiss", "pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
FOR_DEVELOPMENT = {"bench", "docs", "lint", "tests", "types"}  # extras that no command needs
READ_BY_OODKIT = {
    "OODKIT_BATCH_SIZE",
    "OODKIT_CACHE",
    "OODKIT_DATA",
    "OODKIT_DEBUG",
    "OODKIT_DEVICE",
    "OODKIT_DTYPE",
    "OODKIT_SEED",
    "OODKIT_WORKERS",
}
READ_BY_OTHERS = {
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "LOCAL_WORLD_SIZE",
    "OMP_NUM_THREADS",
    "RANK",
    "TORCH_HOME",
    "WORLD_SIZE",
    "XDG_CACHE_HOME",
}
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?P<bounds>[^;]*?)\s*(;\s*(?P<marker>.*))?")


def environment() -> Facts:
    """Everything, by section, without secrets and names of users: see ``without_private``."""
    packages = _told(_packages)
    installed = [row for row in packages.get("list", []) if row["version"]]
    checked = _told(partial(checks, dict.fromkeys((*ALWAYS_CHECKED, *map(_module, installed)))))
    for row in installed:
        row["error"] = checked.get(_module(row), checked).get("errors", {}).get("import")
    sections = {
        "oodkit": _told(_oodkit),
        "python": _told(_python),
        "machine": _told(_machine),
        "torch": checked.get("torch", checked),
        "faiss": checked.get("faiss", checked),
        "images": checked.get("PIL", checked),
        "cache": _told(cache_facts),
        "variables": _told(_variables),
        "packages": packages,
    }
    return {section: without_private(facts) for section, facts in sections.items()}


def checks(modules: Iterable[str]) -> Facts:
    """What env_checks.py says of each module, by name. One that crashes or hangs has that among its errors; the others go on."""
    found: Facts = {}
    waiting = list(modules)
    while waiting:
        lines, end = _run_checks(waiting)
        found |= {one["module"]: {**one["facts"], "errors": one["errors"]} for one in lines}
        waiting = waiting[len(lines) :]
        if waiting:
            found[waiting.pop(0)] = {"errors": {"import": end}}
    return found


def _run_checks(modules: list[str]) -> tuple[list[Facts], str]:
    """A line for each module that got its turn to the end, and how the script ended."""
    command = [sys.executable, "-P", "-W", "ignore", str(CHECKS), *modules]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_CHECK, check=False)  # noqa: S603 (it is Python and a file of our own)
        out, end = done.stdout, _how_it_ended(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        out, end = error.stdout or b"", f"no answer within {LONGEST_CHECK} s"
    return [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")], end


def _how_it_ended(code: int, stderr: bytes) -> str:
    last = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()][-1:]
    return ": ".join([f"Python ended with {_name_of(code)}", *last])


def _name_of(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:  # an exit code, or a signal that Python has no name for
        return str(code)


def _told(tell: Callable[[], Facts]) -> Facts:
    try:
        return tell()
    except Exception as error:  # noqa: BLE001 (whatever is broken, the rest is told)
        return {"error": f"{type(error).__name__}: {error}"}


def _oodkit() -> Facts:
    return {"version": _version("oodkit"), "folder": str(Path(__file__).parents[1])}


def _python() -> Facts:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
    }


def _machine() -> Facts:
    return {"system": platform.platform(), "cores": usable_cores(), "memory_bytes": _memory()}


def _memory() -> int | None:
    """Bytes of the machine, or as many as its container may use; None where the system has no such call."""
    if not hasattr(os, "sysconf"):
        return None
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else ""
    return min(whole, int(text)) if text.isdigit() else whole


def _packages() -> Facts:
    """What oodkit's own metadata asks for: name, bounds, the extra that it is of, and the version that is installed or None."""
    from importlib.metadata import requires

    rows = []
    for text in requires("oodkit") or ():
        one = REQUIREMENT.fullmatch(text)
        if one is None:
            continue
        marker = one["marker"] or ""
        extra = re.search(r"extra == ['\"]([\w-]+)", marker)
        row: Facts = {"name": one["name"].lower(), "required": one["bounds"], "extra": extra and extra[1]}
        row["version"] = _version(row["name"])
        of_another_system = bool(marker) and not extra and not row["version"]  # of faiss there is one build for each
        if not of_another_system and row["extra"] not in FOR_DEVELOPMENT:
            rows.append(row)
    return {"list": rows}


def _module(row: Facts) -> str:
    name: str = row["name"]
    return MODULES.get(name, name.replace("-", "_"))


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 (metadata that is damaged raises anything)
        return f"unknown ({type(error).__name__})"


def cache_facts(seconds: float = LONGEST_WALK) -> Facts:
    """The cache folder: whether it is there and can be written, the room that is free, and its files and bytes.

    It is looked at for ``seconds`` at most; where that did not do, ``whole`` is false, and the numbers are as far as it got.
    """
    from oodkit.cache import cache_root

    root = cache_root()
    facts: Facts = {"folder": str(root), "is_there": None, "writable": None, "free_bytes": None}
    facts |= {"files": 0, "bytes": 0, "error": None}
    walk = Thread(target=_look_into, args=(root, facts), daemon=True)  # a drive that no longer answers holds up this thread alone
    walk.start()
    walk.join(seconds)
    return facts | {"whole": not walk.is_alive()}


def _look_into(root: Path, facts: Facts) -> None:
    import shutil

    try:
        facts["is_there"] = root.is_dir()
        if root.exists() and not root.is_dir():
            facts["error"] = "NotADirectoryError: it is a file, and outputs need a folder"
        there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
        facts["writable"] = os.access(there, os.W_OK | os.X_OK)
        facts["free_bytes"] = shutil.disk_usage(there).free
    except Exception as error:  # noqa: BLE001 (the folder is as the user's settings have it, and so is what it raises)
        facts["error"] = f"{type(error).__name__}: {error}"
    waiting = [str(root)] if facts["is_there"] else []
    while waiting:
        try:
            _tally(waiting.pop(), waiting, facts)
        except FileNotFoundError:
            continue  # somebody clears it at this moment
        except OSError as error:
            facts["error"] = f"{type(error).__name__}: {error}"


def _tally(folder: str, waiting: list[str], facts: Facts) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            with suppress(FileNotFoundError):  # a running writer has renamed it since it was listed
                facts["bytes"] += entry.stat(follow_symlinks=False).st_size
                facts["files"] += 1


def _variables() -> Facts:
    """Those that are set. Of a name that begins with oodkit's and is not oodkit's the value is not told: it may be a secret."""
    told = {name: os.environ[name] for name in sorted(READ_BY_OODKIT | READ_BY_OTHERS) if name in os.environ}
    unknown = sorted(name for name in os.environ if name.startswith("OODKIT_") and name not in READ_BY_OODKIT)
    return {"set": told, "unknown": unknown}
