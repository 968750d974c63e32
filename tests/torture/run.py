"""``python tests/torture/run.py mutate|kill|share [WORD …]``: the scripts of this folder, which are told of in their own files."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch


def main(name: str, *words: str) -> int:
    """The exit code: 1 where something is not as it must be."""
    tests = ModuleType("tests")  # some library installs its own under this name
    tests.__path__ = [str(Path(__file__).parents[1])]
    sys.modules["tests"] = tests
    torch.set_num_threads(1)
    return int(import_module(f"tests.torture.{name}").main(*words) > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
