"""Import packages and ask them what they can do: a script that ``oodkit env`` runs, since a broken one may crash or hang.

``python env_checks.py torch faiss`` writes a line of JSON for each module as soon as it is known: ``module``, ``facts`` by name,
and ``errors``, what it raised and where.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

Ask = Callable[[Any], Any]
CODECS = ("jpg", "libjpeg_turbo", "jpg_2000", "webp", "avif", "libtiff", "zlib", "zlib_ng")


def look_at(name: str) -> dict[str, Any]:
    """Import a module and ask it what ``FACTS`` has for it; whatever it raises is among its ``errors``."""
    facts: dict[str, Any] = {}
    errors: dict[str, str] = {}
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 (a broken package raises anything, SystemExit too)
        return {"module": name, "facts": facts, "errors": {"import": _raised(error)}}
    for fact, ask in FACTS.get(name, {}).items():
        try:
            facts[fact] = ask(module)
        except Exception as error:  # noqa: BLE001 (one fact that can't be told must not cost the others)
            errors[fact] = _raised(error)
    return {"module": name, "facts": facts, "errors": errors}


def _raised(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _devices(torch: Any) -> list[dict[str, Any]]:
    """The GPUs that torch can use, with their memory in bytes."""
    found = []
    for number in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(number)
        found.append({"name": f"cuda:{number}", "model": gpu.name, "bytes": gpu.total_memory})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "model": "Apple GPU", "bytes": torch.mps.recommended_max_memory()})
    return found


def _why_no_cuda(torch: Any) -> str | None:
    """What keeps a build with CUDA from using it, such as a missing or an old driver."""
    if torch.version.cuda is None and torch.version.hip is None:
        return None
    try:
        torch.cuda.init()
    except Exception as error:  # noqa: BLE001 (the reason is the fact)
        return str(error)
    return None


def _codecs(_: Any) -> dict[str, str | None]:
    """The version of each codec that Pillow was built with; None for one that it lacks."""
    from PIL import features

    return {name: str(features.version(name) or "yes") if features.check(name) else None for name in CODECS}


FACTS: dict[str, dict[str, Ask]] = {
    "torch": {
        "version": lambda torch: torch.__version__,
        "cuda": lambda torch: torch.version.cuda,
        "hip": lambda torch: torch.version.hip,
        "cudnn": lambda torch: torch.backends.cudnn.version(),
        "cpu_capability": lambda torch: torch.backends.cpu.get_cpu_capability(),
        "threads": lambda torch: torch.get_num_threads(),
        "devices": _devices,
        "why_no_cuda": _why_no_cuda,
    },
    "faiss": {
        "version": lambda faiss: faiss.__version__,
        "built_with": lambda faiss: faiss.get_compile_options().split(),
        "gpus": lambda faiss: faiss.get_num_gpus(),
    },
    "PIL": {"version": lambda pillow: pillow.__version__, "codecs": _codecs},
}


def main() -> None:
    """Look at the modules that are named. What they print while they are imported goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)
        for name in sys.argv[1:]:
            print(json.dumps(look_at(name), default=str), file=lines, flush=True)


if __name__ == "__main__":
    main()
