"""A trained network's folder is a model like any other: commands take ``local-dir:RUN``, and exports load or say why not."""

from pathlib import Path
from typing import Any

import pytest
import torch

import oodkit
from oodkit.models.adapted import normalised_head
from oodkit.training.folder import MODEL
from oodkit.training.networks import build
from oodkit.training.saved import save_network
from oodkit.training.settings import SMALL as LARGEST_SMALL

NOTE = "a logit is \x1b[31mits log-odds\u202e"
RECIPE = {"loss": "ce", "label_smoothing": 0.0, "mixup": 0.2, "cutmix": 0.0, "name": "mixup:alpha=0.2"}
SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--train", "demo:digits:train")
SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu")


@pytest.fixture
def trained(tmp_path: Path) -> Any:
    """Make a folder as a training leaves it, of an untrained network."""

    def make(arch: str = "test_resnet", *, normalised: bool = False, **how: Any) -> Path:
        built = build(arch, num_classes=8, input_size=32, **how)
        if normalised:
            normalised_head(built.net, built.head[0])
        more = {"note": NOTE, **({"head": "normalised"} if normalised else {})}
        built.class_names = oodkit.open_images("demo:digits:train").class_names
        save_network(tmp_path / "RUN" / MODEL, built.net, built, recipe=RECIPE, more=more)
        return tmp_path / "RUN"

    return make


def test_it_is_diagnosed_by_its_recipe_and_its_note_is_told_and_not_obeyed(run: Any, trained: Any) -> None:
    trained()
    told = run("diagnose", "local-dir:RUN", *SETS, *SMALL, "--scorer", "mls", "--scorer", "knn:k=3", "--report", "report.html")
    assert told.code == 0, told.err
    assert "recipe: cross-entropy, mixup 0.2 (stated: recipe mixup:alpha=0.2 of oodkit)" in told.out
    assert "  · trained with mixup 0.2\n" in told.out
    note = r"the file of the model says: a logit is \x1b[31mits log-odds\u202e"
    assert note in told.out
    assert note in Path("report.html").read_text()


@pytest.mark.parametrize("normalised", [False, True])
def test_it_is_repaired_and_its_repair_is_exported(run: Any, trained: Any, normalised: bool) -> None:
    trained(normalised=normalised)
    told = run("augdelete", "local-dir:RUN", *SETS, *SMALL, "--scorer", "mls", "--quiet")
    assert told.code == 0, told.err
    head = next(path for path in told.out.split() if path.endswith("head.safetensors"))
    assert run("export", "local-dir:RUN", "--head", head, "--as", "state-dict", "-o", "out").code == 0
    model = oodkit.load_classifier("out/model.safetensors")
    assert model.refitted
    assert "note" not in model.about  # it was of other logits


@pytest.mark.parametrize(("arch", "normalised"), [("test_resnet", False), ("test_resnet", True), ("torchvision:resnet18", True)])
def test_as_a_state_dict_it_is_the_same(run: Any, trained: Any, arch: str, normalised: bool) -> None:
    folder = trained(arch, normalised=normalised)
    assert run("export", "local-dir:RUN", "--as", "state-dict", "-o", "out").code == 0
    first, again = (oodkit.load_classifier(name) for name in (f"local-dir:{folder}", "local-dir:out"))
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(first.net(pixels), again.net(pixels))
    facts = ("architecture", "stem", "head", "note", "recipe")
    assert {key: first.about.get(key) for key in facts} == {key: again.about.get(key) for key in facts}
    assert (first.class_names, first.preprocessing) == (again.class_names, again.preprocessing)


@pytest.mark.parametrize(("how", "what"), [({}, "stem is small"), ({"stem": "own", "normalised": True}, "head is normalised")])
def test_timm_would_build_another_network_which_is_told_with_the_way_out(run: Any, trained: Any, how: Any, what: str) -> None:
    trained(**how)
    told = run("export", "local-dir:RUN", "--as", "timm", "-o", "out")
    assert told.code == 1
    assert (
        f"its {what}, and timm would build another; --as state-dict, --as onnx, --as head or --as detector can have it" in told.err
    )
    assert not Path("out").exists()


@pytest.mark.parametrize("page", ["commands/export.md", "quickstart.md"])
def test_the_pages_say_which_networks_these_are_and_the_way_out(page: str) -> None:
    """One that was trained as they show is among them."""
    text = " ".join((Path(__file__).parents[2] / "docs" / page).read_text("utf-8").split())
    _, found, told = text.partition(f"images of up to {LARGEST_SMALL} pixels")
    assert found
    assert "--as state-dict" in told[:200]


def test_timm_builds_one_with_its_own_stem(run: Any, trained: Any) -> None:
    folder = trained(stem="own")
    assert run("export", "local-dir:RUN", "--as", "timm", "-o", "out").code == 0
    first, again = (oodkit.load_classifier(name) for name in (f"local-dir:{folder}", "local-dir:out"))
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(first.net(pixels), again.net(pixels))


@pytest.mark.parametrize(("normalised", "layer"), [(False, "fc"), (True, "fc.1")])
def test_its_head_leaves_too(run: Any, trained: Any, normalised: bool, layer: str) -> None:
    trained(normalised=normalised)
    assert run("export", "local-dir:RUN", "--as", "head", "-o", "head.safetensors").code == 0
    assert oodkit.Head.load("head.safetensors").layers == (layer,)


def test_its_graph_leaves_with_its_stem_and_its_normalised_head(run: Any, trained: Any) -> None:
    trained(normalised=True)
    assert run("export", "local-dir:RUN", "--as", "onnx", "-o", "net.onnx").code == 0


def test_a_detector_of_it_scores_images(run: Any, trained: Any) -> None:
    trained(normalised=True)
    made = ("--as", "detector", "--calibrate", "demo:digits:val", "--scorer", "mls", "--workers", "0", "--device", "cpu")
    assert run("export", "local-dir:RUN", *made, "-o", "detector.safetensors").code == 0
    told = run("score", "detector.safetensors", "demo:digits-unseen", "--workers", "0", "--device", "cpu", "--quiet")
    assert told.code == 0, told.err
    assert len(told.out.splitlines()) > 100


def test_trained_exported_and_scored_in_one_folder(run: Any) -> None:
    """The three commands as a newcomer types them: the detector names a network that lies in a folder below it."""
    quick = ("--limit", "32", "--input-size", "32", "--epochs", "1", "--batch-size", "16", "--workers", "0", "--device", "cpu")
    assert run("train", "test_resnet", "--data", "demo:digits:train", *quick, "-q").out == "oodkit-runs/train-001\n"
    sets = ("--scorer", "knn:k=3", "--train", "demo:digits:train", "--calibrate", "demo:digits:val", "--workers", "0")
    made = run("export", "local-dir:oodkit-runs/train-001", *sets, "-o", "det.safetensors")
    assert made.code == 0, made.err
    assert "--model" not in made.err + Path("det.safetensors.md").read_text("utf-8")
    told = run("score", "det.safetensors", "demo:digits-unseen", "--workers", "0", "--quiet")
    assert told.code == 0, told.err


def test_a_network_that_its_detector_does_not_name_is_named_by_export(run: Any, trained: Any, tmp_path: Path) -> None:
    """Of an absolute path the file and its card hold the last part; the terminal gets the command that works."""
    folder = trained()
    (tmp_path / "private").mkdir()
    folder.rename(tmp_path / "private" / "RUN")
    name = f"local-dir:{tmp_path}/private/RUN"
    made = run("export", name, "--calibrate", "demo:digits:val", "--workers", "0", "-o", "det.safetensors")
    assert made.code == 0, made.err
    command = f"oodkit score det.safetensors IMAGES --model {name}"
    assert f"note: the file can't name its network, so say where it is: {command}\n" in made.err
    card = Path("det.safetensors.md").read_text("utf-8")
    assert r"say where its network is: --model local-dir:RUN, with its folders" in card.replace("\\", "")
    assert "private" not in card
    assert b"private" not in Path("det.safetensors").read_bytes()
    assert run("score", "det.safetensors", "demo:digits-unseen", "--workers", "0", "--quiet").code == 3
    told = run("score", "det.safetensors", "demo:digits-unseen", "--workers", "0", "--quiet", *command.split()[4:])
    assert told.code == 0, told.err
