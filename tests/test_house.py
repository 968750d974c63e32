"""House rules that a reader relies on: small files, nothing left undone, everything public explained."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import oodkit

PACKAGE = Path(oodkit.__file__).parent
REPOSITORY = Path(__file__).parents[1]
OWN = sorted(PACKAGE.rglob("*.py"))
OTHER = [path for folder in ("docs", "examples", "tests") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
LEFT_UNDONE = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))


def _having(paths: list[Path], offends: Callable[[str], object]) -> list[str]:
    """The files whose text offends."""
    return [str(path.relative_to(REPOSITORY)) for path in paths if offends(path.read_text(encoding="utf-8"))]


def test_a_file_fits_300_lines() -> None:
    assert not _having(OWN + OTHER, lambda text: len(text.splitlines()) > 300)


def test_nothing_is_left_undone() -> None:
    assert not _having(OWN + OTHER, LEFT_UNDONE.search)
    assert not _having(OWN, lambda text: "NotImplementedError" in text)


def test_an_exception_to_the_type_checker_has_its_reason_beside_it() -> None:
    bare = re.compile(r"#\s*type:\s*ignore(\[[\w, -]+\])?\s*$", re.MULTILINE)
    assert not _having(OWN + OTHER, bare.search)


def test_every_public_function_and_class_has_a_docstring() -> None:
    """The errors are explained all at once, by the tree in their module's docstring."""
    assert not _having([path for path in OWN if path.name != "errors.py"], _undocumented)
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    assert not [node.name for node in _public(tree) if node.name not in (ast.get_docstring(tree) or "")]


def _undocumented(text: str) -> list[str]:
    return [node.name for node in _public(ast.parse(text)) if ast.get_docstring(node) is None]


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]


def test_every_module_says_what_it_is() -> None:
    assert not _having(OWN, lambda text: text.strip() and not ast.get_docstring(ast.parse(text)))
