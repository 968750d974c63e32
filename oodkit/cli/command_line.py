"""The command as it was typed, which every result names."""

import shlex
import sys


def command_line() -> str:
    """So that a shell takes it again."""
    return shlex.join(["oodkit", *sys.argv[1:]])
