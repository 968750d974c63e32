"""Three commands that take seconds, each in a process of its own that is forked once everything is imported."""

import json
import os
import shutil
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import safe_open

from oodkit import extraction_plan
from oodkit.cli import main
from oodkit.training import checkpoints

from ..cli.makers import write_makers  # noqa: TID252 (tests are no package)

RUN, CACHE = "run", "cache"
MEMORY = Path("/dev/shm")  # where nothing waits for a disk; of 64 MB in many a container
PLACE = str(MEMORY) if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= 256e6 else None
HERE = ("--workers", "0", "--device", "cpu", "-o", RUN)
SETS = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--train", "demo:digits:train", "--limit", "60")
SCORERS = ("--scorer", "mls", "--baseline", "none", "--batch-size", "4")
TRAINED = ("--data", "demo:digits:train", "--val", "demo:digits:val", "--limit", "32", "--input-size", "32", "--batch-size", "16")
WORKS: dict[str, tuple[str, ...]] = {
    "extraction": ("diagnose", "demo:digits-v2", *SETS, *SCORERS, *HERE),
    "training": ("train", "test_resnet", *TRAINED, "--epochs", "3", "--ema", *HERE),
    "synthesis": ("synth", "--model", "py:makers.py:noise", "--per-class", "30", "--device", "cpu", "-o", RUN),
}
OF_THE_MOMENT = {"created", "command", "seconds", "images_per_second"}
NEEDED = ("accelerate", "diffusers", "timm", "torchvision", "sklearn.datasets", "faiss", "jsonschema", "filelock")


def prepare() -> None:
    """Import what the works need, and make them save often."""
    for name in NEEDED:
        import_module(name)
    extraction_plan.SHARD_SIZE = 8
    checkpoints.EVERY = 0.0
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})


def begin(work: str, folder: Path, cache: Path | None = None) -> int:
    """The process that does the work in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if (child := os.fork()) != 0:
        return child
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.chdir(folder)
        os.environ["OODKIT_CACHE"] = str(cache or folder / CACHE)
        with open("told.txt", "a", encoding="utf-8") as told:  # noqa: PTH123 (here, where the process is)
            os.dup2(told.fileno(), 1)
            os.dup2(told.fileno(), 2)
        write_makers(folder)
        sys.argv = ["oodkit", *WORKS[work]]
        main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:  # noqa: BLE001 (told, and the process is over)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def end(child: int, folder: Path) -> bool:
    """Whether the process was killed. Ends this one where it failed."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        sys.exit(f"exit code {os.WEXITSTATUS(status)}: {(folder / 'told.txt').read_text('utf-8')[-3000:]}")
    return False


def contents(*folders: Path) -> dict[str, Any]:
    """All files but hidden ones, without what is of the moment; documents and logs as what they say."""
    found: dict[str, Any] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                found[f"{folder.name}/{inside}"] = _said(path)
    return found


def _said(path: Path) -> Any:
    if path.suffix == ".json":
        return _lasting(json.loads(path.read_text("utf-8")))
    if path.name == "log.jsonl":
        return [_lasting(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    return _tensors(path) if path.suffix == ".safetensors" else path.read_bytes()


def _tensors(path: Path) -> dict[str, Any]:
    """Bit for bit; the words beside them stand in any order, and those of scores have a hash of a result, which has a time."""
    with safe_open(path, "np") as file:
        tensors = {name: (file.get_tensor(name).dtype, file.get_tensor(name).tobytes()) for name in file.keys()}  # noqa: SIM118
        return {**tensors, "words": None if path.name == "scores.safetensors" else file.metadata()}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if key not in OF_THE_MOMENT}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The files that are not the same, or in one alone."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def without(folder: Path) -> None:
    """Remove the folder."""
    shutil.rmtree(folder)
