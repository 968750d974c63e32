import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from oodkit.classifier import load_classifier
from oodkit.code_identity import module_name
from oodkit.errors import CheckpointError, InputError, ModelNotFoundError, OodkitError, UsageError

NETS = """
import torch
from torch import nn
from blocks import widen

def small(width=4, classes=3):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, widen(classes)))

def with_transform():
    return small(), to_tensor

def to_tensor(image):
    return torch.zeros(3, *image.resize((20, 10)).size[::-1])

def broken():
    raise ValueError("no width")

def number():
    return 7

class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, image):
        return self.factor * to_tensor(image)

def with_class(factor=2):
    return small(), Scaled(factor)

def with_lambda():
    return small(), lambda image: to_tensor(image)

def bad_transform():
    return small(), lambda image: image
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "blocks.py").write_text("def widen(classes):\n    return classes\n")
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture(autouse=True)
def no_blocks_left() -> Iterator[None]:
    yield
    sys.modules.pop("blocks", None)


def test_a_function_in_a_file_makes_the_network_and_may_import_its_neighbours(nets: Path) -> None:
    before = list(sys.path)
    model = load_classifier(f"py:{nets}:small", input_size=16)
    assert model.name == f"py:{nets}:small"
    assert (model.num_classes, model.input_size, model.class_names) == (3, (3, 16, 16), None)
    assert model.about["weights"] == "as the function returned them"
    assert "ImageNet's mean and std" in model.preprocessing["assumed"]
    assert sys.path == before


def test_images_are_resized_to_the_input_size_whole(nets: Path) -> None:
    """With mean 0 and standard deviation 1, pixels are what they were: in [0, 1]."""
    model = load_classifier(f"py:{nets}:small", input_size=32, mean=(0, 0, 0), std=(1, 1, 1))
    image = Image.linear_gradient("L").convert("RGB").resize((32, 32))
    expected = torch.tensor(list(image.getchannel(0).tobytes())).reshape(32, 32) / 255
    torch.testing.assert_close(model.transform(image)[0], expected)
    assert "assumed" not in model.preprocessing


def test_the_constructors_arguments_and_a_checkpoint_are_passed_on(nets: Path, tmp_path: Path) -> None:
    state = {"0.weight": torch.randn(5, 3, 3, 3), "0.bias": torch.randn(5), "3.weight": torch.randn(4, 5), "3.bias": torch.randn(4)}
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "mine.pth")
    model = load_classifier(
        f"py:{nets}:small", checkpoint=tmp_path / "mine.pth", input_size=16, model_args={"width": 5, "classes": 4}
    )
    torch.testing.assert_close(model.head.weight, state["3.weight"])
    assert model.about["weights"] == str(tmp_path / "mine.pth")


def test_a_transform_of_its_own_says_the_input_size_and_names_itself_stably(nets: Path) -> None:
    model = load_classifier(f"py:{nets}:with_transform")
    assert model.input_size == (3, 10, 20)
    assert model.preprocessing["transform"] == repr(model.transform)
    assert repr(model.transform).startswith("to_tensor (source ")
    again = load_classifier(f"py:{nets}:with_transform")
    assert repr(again.transform) == repr(model.transform)


def test_a_changed_source_file_changes_the_transforms_name(nets: Path) -> None:
    """Else outputs extracted with the old transform would be read from the cache."""
    before = repr(load_classifier(f"py:{nets}:with_transform").transform)
    nets.write_text(NETS.replace("zeros", "ones"))
    assert repr(load_classifier(f"py:{nets}:with_transform").transform) != before


@pytest.mark.parametrize(("function", "arguments", "value"), [("with_transform", {}, 0), ("with_class", {"factor": 3}, 3)])
def test_workers_that_start_afresh_have_the_transform(nets: Path, monkeypatch, function: str, arguments: dict, value: int) -> None:
    """Under the start methods spawn and forkserver a worker has none of this process's modules."""
    nets.write_text(NETS.replace("self.factor * to_tensor", "self.factor + to_tensor"))
    monkeypatch.chdir(nets.parent)
    transform = load_classifier(f"py:nets.py:{function}", model_args=arguments).transform
    images = [Image.new("RGB", (8, 8)) for _ in range(2)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        made = list(workers.map(transform, images))
    assert [(tuple(one.shape), one.mean().item()) for one in made] == [((3, 10, 20), value)] * 2


@pytest.mark.parametrize("function", ["with_transform", "with_class", "with_lambda"])
def test_a_pickled_transform_is_made_by_its_function_again(nets: Path, monkeypatch, function: str) -> None:
    """In whatever folder, and without the modules that were imported for it."""
    monkeypatch.chdir(nets.parent)
    transform = load_classifier(f"py:nets.py:{function}").transform
    carried = pickle.dumps(transform)
    monkeypatch.chdir("/")
    for name in (module_name(nets), "blocks"):
        monkeypatch.delitem(sys.modules, name)
    again = pickle.loads(carried)
    assert repr(again) == repr(transform)
    assert torch.equal(again(Image.new("RGB", (8, 8))), transform(Image.new("RGB", (8, 8))))


OWN = """
import torch
from torch import nn
from blocks import widen

class Net(nn.Sequential):
    pass

class Grey:
    def __call__(self, image):
        return torch.full((3, 16, 16), 0.5)

def make():
    return Net(nn.Flatten(), nn.Linear(3 * 16 * 16, widen(3)))

def shown():
    return make(), Grey()
"""


def in_folder(folder: Path, net: str = OWN, blocks: str = "def widen(classes):\n    return classes\n") -> str:
    folder.mkdir()
    (folder / "blocks.py").write_text(blocks)
    (folder / "net.py").write_text(net)
    return f"py:{folder / 'net.py'}:make"


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    """A model and its baseline, say: what the cache calls the first does not go by the code of the second."""
    first = load_classifier(in_folder(tmp_path / "new"), input_size=16)
    before = first.fingerprint()
    second = load_classifier(in_folder(tmp_path / "old", f"{OWN}\n# older\n"), input_size=16)
    assert first.fingerprint() == before
    files = [Path(sys.modules[type(model.net).__module__].__file__) for model in (first, second)]
    assert files == [tmp_path / "new" / "net.py", tmp_path / "old" / "net.py"]


def test_what_a_transform_is_called_does_not_go_by_the_folder(tmp_path: Path) -> None:
    """Else outputs would be extracted again, and a detector refuse the network, once the folder was moved."""
    files = [tmp_path / folder / "my net.py" for folder in ("here", "there")]
    for file in files:
        in_folder(file.parent)
        (file.parent / "net.py").rename(file)
    one, other = (repr(load_classifier(f"py:{file}:shown").transform) for file in files)
    assert one == other
    assert one.startswith("<oodkit_user_my net.Grey object> (source ")


def test_a_neighbour_of_the_same_name_in_another_folder_is_refused(tmp_path: Path) -> None:
    """Python has one module of a name: the baseline would run with the model's."""
    wider = "def widen(classes):\n    return classes + 1\n"
    names = [in_folder(tmp_path / "new"), in_folder(tmp_path / "copy"), in_folder(tmp_path / "old", blocks=wider)]
    assert [load_classifier(name, input_size=16).num_classes for name in names[:2]] == [3, 3]
    told = r"old/net\.py would run with .*new/blocks\.py, not with .*old/blocks\.py beside it: .*; name one of the two otherwise"
    with pytest.raises(InputError, match=rf"^[^:]*{told}$"):
        load_classifier(names[2], input_size=16)


def test_a_dotted_module_is_found_from_the_working_folder(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nets.parent)
    assert load_classifier("py:nets:small", input_size=16).num_classes == 3
    sys.modules.pop("nets")


@pytest.mark.parametrize(
    ("function", "options", "kind", "message"),
    [
        ("small", {}, UsageError, "needs --input-size"),
        ("smal", {"input_size": 16}, ModelNotFoundError, "has no function 'smal'; did you mean small"),
        ("with_transform", {"input_size": 16}, UsageError, "returns a transform of its own: leave out --input-size"),
        ("broken", {"input_size": 16}, InputError, "raised ValueError: no width"),
        ("number", {"input_size": 16}, InputError, "returned a int, expected a torch module"),
        ("bad_transform", {}, InputError, "returned a Image, expected a tensor"),
        ("small", {"input_size": 16, "arch": "resnet18"}, UsageError, "takes no --arch"),
        ("small", {"input_size": 16, "model_args": {"colour": 1}}, InputError, "raised TypeError: .*colour"),
        ("small", {"input_size": 16, "num_classes": 5}, InputError, "returns 3 logits, expected 5"),
    ],
)
def test_what_is_wrong_is_said(nets: Path, function: str, options: dict, kind: type[OodkitError], message: str) -> None:
    with pytest.raises(kind, match=message):
        load_classifier(f"py:{nets}:{function}", **options)


def test_no_such_module_or_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"can't import no\.such: No module named 'no'"):
        load_classifier("py:no.such:net", input_size=16)
    with pytest.raises(ModelNotFoundError, match=r"no file .*nets\.py, which py:"):
        load_classifier(f"py:{tmp_path}/nets.py:net", input_size=16)
    with pytest.raises(UsageError, match="expected py:MODULE:FUNCTION"):
        load_classifier("py:nets", input_size=16)


def test_a_module_that_fails_to_import_is_named_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=r"can't import .*nets\.py: ZeroDivisionError"):
        load_classifier(f"py:{tmp_path}/nets.py:net", input_size=16)


def test_a_checkpoint_that_does_not_fit(nets: Path, tmp_path: Path) -> None:
    torch.save({"0.weight": torch.randn(4, 3, 3, 3)}, tmp_path / "mine.pth")
    with pytest.raises(
        CheckpointError, match=r"does not fit py:.*small: 3 of 4 parameters are missing \(0\.bias, 3\.weight, 3\.bias\)"
    ):
        load_classifier(f"py:{nets}:small", checkpoint=tmp_path / "mine.pth", input_size=16)
