"""Functions of the user's own: ``py:MODULE:FUNCTION``, with MODULE a dotted name or the path of a .py file."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from oodkit.code_identity import module_name
from oodkit.errors import InputError, ModelNotFoundError, UsageError
from oodkit.wording import raised


def found_function(name: str, example: str) -> tuple[ModuleType, Callable[..., Any]]:
    """The module and the function of ``py:MODULE:FUNCTION``. example: a right name, for errors.

    Raises UsageError for a name of another form, ModelNotFoundError where there is no such module or function, and InputError where
    the module raises an error.
    """
    where, _, function = name.removeprefix("py:").rpartition(":")
    if not where or not function.isidentifier():
        raise UsageError(f"can't read {name!r}: expected py:MODULE:FUNCTION, such as {example}")
    module = _imported(where, name)
    found = getattr(module, function, None)
    if not callable(found):
        near = get_close_matches(function, [one for one in dir(module) if callable(getattr(module, one))], n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ModelNotFoundError(f"{where} has no function {function!r}{hint}")
    return module, found


def _imported(where: str, name: str) -> ModuleType:
    file = Path(where)
    if file.suffix == ".py" and not file.is_file():
        raise ModelNotFoundError(f"no file {file}, which {name} names")
    try:
        if file.suffix != ".py":
            with importable(Path.cwd()), prints_aside():
                return importlib.import_module(where)
        with importable(file.parent.resolve()), prints_aside():
            module = _executed(file.resolve())
    except ModuleNotFoundError as error:
        raise ModelNotFoundError(f"can't import {where}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's code may raise anything, and leave the program by sys.exit
        raise InputError(f"can't import {where}: {raised(error)}") from error
    _require_own_neighbours(module, file.resolve())
    return module


def _executed(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module_name(file), file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the module of a class
    spec.loader.exec_module(module)
    return module


_folders: set[Path] = set()  # that files of the user's were executed from


def _require_own_neighbours(module: ModuleType, file: Path) -> None:
    """Raise InputError where what it imports is another folder's, as of a model and its baseline: nothing would tell of it."""
    whole = [getattr(one, "__name__" if isinstance(one, ModuleType) else "__module__", None) for one in vars(module).values()]
    for name in sorted({str(one).partition(".")[0] for one in whole}):
        taken = Path(getattr(sys.modules.get(name), "__file__", None) or "")
        own = next((one for one in (file.with_name(f"{name}.py"), file.parent / name / "__init__.py") if one.is_file()), taken)
        elsewhere = any(taken.is_relative_to(folder) for folder in _folders - {file.parent})
        if elsewhere and own != taken and own.read_bytes() != taken.read_bytes():
            what = f"{file} would run with {taken}, not with {own} beside it"
            raise InputError(f"{what}: Python has one module of a name; name one of the two otherwise")
    _folders.add(file.parent)


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """While open, let the user's module import its neighbours, as it could if it were run."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def prints_aside() -> Iterator[None]:
    """While open, what is printed goes to stderr: stdout holds the result, which programs read."""
    with redirect_stdout(sys.stderr):
        yield


def source_hash(module: ModuleType) -> str:
    """Of the file that the module stands in, "unknown" where there is none."""
    file = getattr(module, "__file__", None)
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=6).hexdigest() if file else "unknown"
