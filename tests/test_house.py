"""House rules that a reader relies on: small files, nothing left undone, everything public explained."""

import ast
import re
from pathlib import Path

import pytest

import oodkit

PACKAGE = Path(oodkit.__file__).parent
REPOSITORY = Path(__file__).parents[1]
OWN = sorted(PACKAGE.rglob("*.py"))
OTHER = [path for folder in ("docs", "examples", "tests") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
LEFT_UNDONE = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))


def _id(path: Path) -> str:
    return "/".join(path.parts[-2:])


@pytest.mark.parametrize("path", OWN, ids=_id)
def test_a_file_fits_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", OWN + OTHER, ids=_id)
def test_nothing_is_left_undone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not (found := LEFT_UNDONE.findall(text)), found
    assert path not in OWN or "NotImplementedError" not in text


@pytest.mark.parametrize("path", OWN + OTHER, ids=_id)
def test_an_exception_to_the_type_checker_has_its_reason_beside_it(path: Path) -> None:
    bare = [
        line for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"#\s*type:\s*ignore(\[[\w, -]+\])?\s*$", line)
    ]
    assert not bare


@pytest.mark.parametrize("path", OWN, ids=_id)
def test_every_public_function_and_class_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
    if path.name == "errors.py":  # the tree in the module's docstring explains them all at once
        assert all(node.name in (ast.get_docstring(tree) or "") for node in public)
        return
    assert not [node.name for node in public if ast.get_docstring(node) is None]


@pytest.mark.parametrize("path", OWN, ids=_id)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))
