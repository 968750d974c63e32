"""Private names of other libraries: which ones are used, and that each is still there and does what it is used for."""

import ast
import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

import oodkit

TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(Path(oodkit.__file__).parent.rglob("*.py"))]
OF_NAMED_TUPLES = {"_asdict", "_replace"}  # documented, and private in their spelling only


def counts_changes():
    """``Tensor._version``: memos and fingerprints would otherwise outlive the tensors that they are of."""
    tensor = torch.zeros(2)
    before = tensor._version
    tensor.add_(1)
    assert tensor._version > before
    assert tensor[:1]._version == tensor._version, "a view counts what is done to the whole"


def holds_hooks():
    """``Module._forward_pre_hooks``: a copied layer has a copied hook, which only this can take away."""
    layer, hook = nn.Linear(1, 1), print
    layer.register_forward_pre_hook(hook)
    assert list(layer._forward_pre_hooks.values()) == [hook]
    layer._forward_pre_hooks.clear()
    layer(torch.zeros(1, 1))


def is_the_base_of_normalisations():
    """``_NormBase``: their scales have no weight decay."""
    assert issubclass(nn.BatchNorm2d, nn.modules.batchnorm._NormBase)
    assert issubclass(nn.InstanceNorm1d, nn.modules.batchnorm._NormBase)


def lets_a_process_train_in_another_precision():
    """``AcceleratorState._reset_state``: else a process could train in one precision only."""
    from accelerate.state import AcceleratorState

    assert "reset_partial_state" in inspect.signature(AcceleratorState._reset_state).parameters


def knows_the_processor():
    """``torch.cpu._is_amx_tile_supported``: without it generators on such processors run in float32, four times as slow."""
    assert isinstance(torch.cpu._is_amx_tile_supported(), bool)


CHECKS = {
    "_version": counts_changes,
    "_forward_pre_hooks": holds_hooks,
    "_NormBase": is_the_base_of_normalisations,
    "_reset_state": lets_a_process_train_in_another_precision,
    "_is_amx_tile_supported": knows_the_processor,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_private_name_is_there_and_does_what_it_is_used_for(name):
    CHECKS[name]()


def test_no_other_private_name_is_used():
    own = {name for tree in TREES for node in ast.walk(tree) for name in _made(node)}
    used = {name for tree in TREES for node in ast.walk(tree) for name in _asked_for(node)}
    assert {name for name in used - own - OF_NAMED_TUPLES if name.startswith("_") and not name.startswith("__")} == set(CHECKS)


def _made(node):
    """The names that a class of oodkit gives its objects: methods, fields, and attributes of ``self``."""
    match node:
        case ast.ClassDef(body=body):
            fields = [ast.unparse(one.target) for one in body if isinstance(one, ast.AnnAssign)]
            return fields + [one.name for one in body if isinstance(one, ast.FunctionDef)]
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            return [name]
    return []


def _asked_for(node):
    """The names that an expression takes from something: an attribute, by a text, or by an import of another library's."""
    match node:
        case ast.Attribute(attr=name, ctx=ast.Load()):
            return [name]
        case ast.Call(func=ast.Name(id="getattr" | "hasattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return [name]
        case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] != "oodkit":
            return [*module.split("."), *(one.name for one in names)]
        case ast.Import(names=names):
            return [part for one in names for part in one.name.split(".")]
    return []
