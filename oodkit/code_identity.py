"""What code a network or a transform runs, as text that is the same in every process and another for other code."""

import re
import sys
from hashlib import blake2b
from pathlib import Path
from types import CodeType

from torch import nn

LIBRARIES = ("torch", "torchvision", "timm")  # known by their version; anything else by its source


def stable_repr(thing: object) -> str:
    """Its repr without memory addresses, which change from run to run; of the user's own functions and objects also their code."""
    own = thing if hasattr(thing, "__code__") else type(thing).__call__ if callable(thing) else None
    known = type(thing).__module__.partition(".")[0] in LIBRARIES
    code = None if known else getattr(own, "__code__", None)
    return without_addresses(f"{thing!r} {'' if code is None else _code(code)}")


def code_of_network(net: nn.Module) -> str:
    """The library versions, and the source files or the compiled code, that the classes of the network's modules come from."""
    found = {_code_of_class(type(module)) for module in net.modules()}
    return without_addresses(" ".join(sorted(found)))


def module_name(file: Path) -> str:
    """What the module of a user's file is called here: a model and its baseline may come from files of one name in two folders."""
    return f"oodkit_user_{file.stem}_{blake2b(bytes(file), digest_size=6).hexdigest()}"


def without_addresses(text: str) -> str:
    """The text without the memory addresses that Python puts into a repr, and without those of folders in a ``module_name``."""
    return re.sub(r"(oodkit_user_.*?)_[0-9a-f]{12}\b", r"\1", re.sub(r" at 0x[0-9a-fA-F]+", "", text))


def _code_of_class(kind: type) -> str:
    """Of the user's own class the source file and every loaded module below its folder, which it may call."""
    library = kind.__module__.partition(".")[0]
    if library in LIBRARIES:
        return f"{library} {sys.modules[library].__version__}"
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if library == "oodkit" and file is not None:  # what else of it is loaded depends on the command
        return blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()
    if file is None or not Path(file).is_file():
        return _code(kind.forward.__code__) if hasattr(kind, "forward") else kind.__qualname__
    return " ".join(blake2b(one.read_bytes(), digest_size=16).hexdigest() for one in _sources_beside(Path(file).resolve()))


def _sources_beside(file: Path) -> list[Path]:
    if file.parent.name == "site-packages":
        return [file]
    loaded = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    found = {Path(one).resolve() for one in loaded if one.endswith(".py")} | {file}
    return sorted(one for one in found if one.is_relative_to(file.parent) and one.is_file())


def _code(code: CodeType) -> str:
    constants = [_code(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
