"""Functions of the user's own as generators."""

import sys
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest
import torch

from oodkit.errors import GeneratorError, InputError, ModelNotFoundError, UsageError
from oodkit.synth import from_python
from oodkit.synth.base import ImageClass, Request
from oodkit.synth.from_python import Called

MINE = """
import numpy as np
import torch
from neighbour import SIDE

def noise(classes, seeds, scale=1, device="none"):
    made = [np.random.default_rng(seed).integers(0, 256 // scale, (SIDE, SIDE, 3), dtype=np.uint8) for seed in seeds]
    noise.seen = (classes, device)
    return np.stack(made)

noise.classes = ["cat", "tv/set"]
noise.size = SIDE
noise.licence = "CC0"
noise.batch_size = 3
noise.seed_scope = "batch"

def planes(classes, seeds):
    return torch.zeros(len(seeds), 3, 4, 6, dtype=torch.uint8)

def unlabelled(classes, seeds):
    assert classes is None
    return np.zeros((len(seeds), 4, 4, 3), dtype=np.uint8)[:, ::-1]

unlabelled.conditional = False

def frozen(classes, seeds):
    made = np.full((len(seeds), 4, 4, 3), 7, dtype=np.uint8)
    made.flags.writeable = False
    return made

def raises(classes, seeds):
    raise KeyError("\\x1b[31m no\\nsuch weight")

def floats(classes, seeds):
    return torch.zeros(len(seeds), 3, 4, 4)

def fewer(classes, seeds):
    return np.zeros((1, 4, 4, 3), dtype=np.uint8)

def nothing(classes, seeds):
    return None

def full(classes, seeds):
    raise torch.OutOfMemoryError("out of memory")

def leaves(classes, seeds):
    import sys
    sys.exit()

def talks(classes, seeds):
    print("a stranger's words")
    return planes(classes, seeds)

def long(classes, seeds):
    raise ValueError("begin " + 9000 * "x" + " end")

def wanting(classes, seeds, weights):
    return planes(classes, seeds)

def alone():
    return None

class Stop(BaseException):
    pass

def stops(classes, seeds):
    raise Stop

def misnamed(classes, seeds):
    return None

misnamed.classes = "cat"
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "neighbour.py").write_text("SIDE = 4\n")
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    yield path
    sys.modules.pop("neighbour", None)


def asked(count, of=None):
    return [Request(of, index, 100 + index) for index in range(count)]


def test_a_function_gets_names_seeds_and_its_arguments(mine):
    made = Called(f"py:{mine}:noise", device="cpu", scale=2)
    assert [(one.folder, one.name, one.label) for one in made.classes] == [("cat", "cat", 0), ("tv%2Fset", "tv/set", 1)]
    assert (made.size, made.licence, made.batch_size, made.seed_scope, made.conditional) == (4, "CC0", 3, "batch", True)
    images = made.generate(asked(2, made.classes[1]))
    expected = [np.random.default_rng(seed).integers(0, 128, (4, 4, 3), dtype=np.uint8) for seed in (100, 101)]
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), np.stack(expected))
    assert made._function.seen == (["tv/set", "tv/set"], "cpu")
    assert made.facts["scale"] == 2
    assert len(made.facts["source"]) == 12


def test_a_function_that_names_no_classes_makes_any(mine):
    made = Called(f"py:{mine}:planes")
    assert (made.classes, made.conditional, made.size, made.licence) == (None, True, None, "unknown")
    assert made.generate(asked(2, ImageClass("dog", "dog"))).shape == (2, 3, 4, 6)


def test_a_function_that_cannot_be_told_gets_no_classes(mine):
    made = Called(f"py:{mine}:unlabelled")
    assert (made.classes, made.conditional) == (None, False)
    assert made.generate(asked(2)).shape == (2, 3, 4, 4)


def test_an_array_that_can_not_be_written_is_an_array_too(mine):
    """So are JAX's; PyTorch would warn of it."""
    assert (Called(f"py:{mine}:frozen").generate(asked(2)) == 7).all()


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("raises", r"raised KeyError: '\x1b[31m no\nsuch weight'"),
        ("leaves", "raised SystemExit"),
        ("stops", "raised Stop"),
        ("long", f"raised ValueError: begin {194 * 'x'} … {96 * 'x'} end"),
        ("floats", "returned float32 (2, 3, 4, 4); expected uint8 images (N, H, W, 3) or (N, 3, H, W), an array or a tensor"),
        ("nothing", "returned a NoneType; expected uint8 images (N, H, W, 3) or (N, 3, H, W), an array or a tensor"),
        ("fewer", "returned 1 images for 2 seeds; expected one for each"),
    ],
)
def test_what_goes_wrong_in_it_is_one_line(mine, function, told):
    with pytest.raises(GeneratorError) as caught:
        Called(f"py:{mine}:{function}").generate(asked(2))
    assert str(caught.value) == f"py:{mine}:{function} {told}"


def test_what_a_function_prints_does_not_stand_among_results(mine, capsys):
    mine.write_text("print('on import')\n" + mine.read_text())
    Called(f"py:{mine}:talks").generate(asked(1))
    assert capsys.readouterr() == ("", "on import\na stranger's words\n")


@pytest.mark.parametrize("leaving", ["import sys; sys.exit(0)", "raise BaseException('0')", "exit(0)"])
def test_a_module_that_leaves_the_program_is_an_error(mine, leaving):
    mine.write_text(leaving)
    with pytest.raises(InputError, match=r"can't import .*mine\.py: (SystemExit|BaseException): 0$"):
        Called(f"py:{mine}:noise")


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        ("alone", {}, r"\(classes, seeds\): too many positional arguments; expected f\(classes, seeds, …arguments\)"),
        ("wanting", {}, r"\(classes, seeds\): missing a required argument: 'weights'; .*--generator-arg NAME=VALUE gives what has"),
        ("wanting", {"weight": 1}, r"unknown argument of py:.*: 'weight'; did you mean weights\?"),
        ("min", {}, "does not say what it takes; expected a function of Python"),
    ],
)
def test_a_function_that_can_not_be_called_so_is_refused_beforehand(mine, function, arguments, told):
    mine.write_text("from builtins import min\n" + mine.read_text())
    with pytest.raises(UsageError, match=told):
        Called(f"py:{mine}:{function}", **arguments)
    assert Called(f"py:{mine}:wanting", weights="x").generate(asked(1)).shape == (1, 3, 4, 6)


def test_a_want_of_memory_is_left_to_whoever_chose_the_batch(mine):
    with pytest.raises(torch.OutOfMemoryError):
        Called(f"py:{mine}:full").generate(asked(2))


def test_an_attribute_of_another_kind_is_refused(mine):
    with pytest.raises(GeneratorError, match="has classes = 'cat'; expected names"):
        Called(f"py:{mine}:misnamed")


def test_an_unknown_argument_names_the_near_ones(mine):
    with pytest.raises(UsageError, match=r"unknown argument of py:.*: 'scael'; did you mean scale\?"):
        Called(f"py:{mine}:noise", scael=1)


def test_a_module_or_function_that_is_not_there_is_named(mine):
    with pytest.raises(ModelNotFoundError, match=r"has no function 'nois'; did you mean noise\?"):
        Called(f"py:{mine}:nois")
    with pytest.raises(UsageError, match=r"expected py:MODULE:FUNCTION, such as py:mine.py:images"):
        Called("py:mine")
    mine.write_text("1 / 0")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        Called(f"py:{mine}:noise")


def test_an_installed_package_names_a_generator(mine, monkeypatch):
    monkeypatch.syspath_prepend(str(mine.parent))
    points = EntryPoints(
        [EntryPoint("their-gan", "mine:noise", from_python.GROUP), EntryPoint("broken", "mine:gone", from_python.GROUP)]
    )
    monkeypatch.setattr(from_python, "entry_points", points.select)
    assert from_python.installed_names() == ("broken", "their-gan")
    made = Called("their-gan")
    assert (made.spec, made.size, made.facts["source"]) == ("their-gan", 4, "mine:noise")
    with pytest.raises(InputError, match="can't load the generator broken, mine:gone: AttributeError: "):
        Called("broken")
    sys.modules.pop("mine")
