"""What ``oodkit train`` refuses, in one clear line and before a step is made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodkit.training import run as run_module

DATA = ("--data", "demo:digits:train", "--limit", "32")
QUICK = ("--input-size", "32", "--epochs", "1", "--batch-size", "16", "--workers", "0", "--device", "cpu")
TRAIN = ("train", "test_resnet", *DATA, *QUICK)


@pytest.fixture(autouse=True)
def untrained(monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError("it was trained")

    monkeypatch.setattr(run_module, "learn", never)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--recipe", "mixpu"), 2, "unknown recipe: 'mixpu'; did you mean mixup"),
        (("--recipe", "mixup:alhpa=1"), 2, "unknown setting of mixup: 'alhpa'; did you mean alpha?"),
        (("--recipe", "label-smoothing:smoothing=2"), 2, "label-smoothing"),
        (
            ("--recipe", "v1,mixup"),
            2,
            "'v1,mixup' names several recipes, and a training has one; oodkit ablate --recipes takes several",
        ),
        (("--recipe", "mixup:"), 2, "'mixup:' has no settings after its colon; write mixup, or settings as in mixup:alpha=1.0"),
        (("--recipe", "mixup:alpha=1,alpha=2"), 2, "'mixup:alpha=1,alpha=2' gives alpha twice; give it once"),
        (("--lr", "nan"), 2, "error: --lr takes a finite number, got nan"),
        (("--weight-decay", "inf"), 2, "error: --weight-decay takes a finite number, got inf"),
        (("--device", "foo"), 2, "error: no device 'foo'; use auto, cpu, cuda, cuda:1 or mps"),
        (("--lr", "0"), 2, "lr must be a number above 0, got 0.0"),
        (("--warmup", "1"), 2, "warmup must be 0 or more, and less than the 1 epochs, got 1.0"),
        (("--alpha", "0.5"), 2, "alpha 0.5 is the share of real images beside synthetic ones: give --synthetic SET"),
        (("--recipe", "outlier-exposure"), 2, "outlier-exposure trains with images of none of the classes: give --outliers SET"),
        (("--outliers", "demo:digits-unseen"), 2, "v1 has no use for images of none of the classes (--outliers); leave them out"),
        (("--mixing", "demo:photo-patches"), 2, "v1 has no use for images to mix in (--mixing); leave them out, or take pixmix"),
        (("--val", "demo:digits:train"), 2, "the set given as --val is the very set given as --data"),
        (("--val", "animals"), 3, "no class of animals is one of the training images': 'cat' here, '0' there"),
        (("--val", "nowhere"), 3, "no folder or file nowhere"),
        (("--synthetic", "animals"), 3, "animals"),
        (("--input-size", "3,32,48"), 2, "training takes square images of three channels, timm:test_resnet takes 3 × 32 × 48"),
        (("--stem", "small", "--model-arg", "num_classes=3"), 2, "leave --model-arg num_classes out"),
        (("--device", "cuda:77"), 2, "no device 'cuda:77' here"),
        (("--amp", "fp16"), 2, "--amp fp16 needs a GPU"),
        (("-o", "photo.png"), 2, "can't write to photo.png: Not a directory; give --output FOLDER where you can"),
    ],
)
def test_what_can_not_be_trained_is_one_line(run, tmp_path, arguments, code, message):
    for name in ("cat", "dog", "emu"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "animals" / name / "0.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    ran = run(*TRAIN, *arguments)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1), ran.err
    assert message in ran.err
    assert not Path("oodkit-runs").exists()


@pytest.mark.parametrize("alpha", [0, -1, 1.2, 80, float("nan")])
def test_numbers_that_are_no_share(run, alpha):
    ran = run(*TRAIN, "--synthetic", "demo:digits", f"--alpha={alpha}")
    expected = "alpha is the share of real images in each batch, above 0 and at most 1, or naive"
    assert (ran.code, ran.err.strip()) == (2, f"error: {expected}; got {float(alpha)}")


@pytest.mark.parametrize("alpha", ["nave", ""])
def test_a_share_that_is_no_number(run, alpha):
    ran = run(*TRAIN, "--synthetic", "demo:digits", f"--alpha={alpha}")
    assert ran.code == 2
    assert f"{alpha!r} is neither a number nor naive" in " ".join(ran.err.replace("│", " ").split())


def test_images_that_can_not_be_learnt_from(run, tmp_path):
    (tmp_path / "flat").mkdir()
    (tmp_path / "one" / "cat").mkdir(parents=True)
    for number in range(3):
        image = Image.fromarray(np.full((32, 32, 3), 80 * number, dtype=np.uint8))
        image.save(tmp_path / "flat" / f"{number}.png")
        image.save(tmp_path / "one" / "cat" / f"{number}.png")
    for data, message in (
        (
            "flat",
            "training needs a label for each image: of the 3 of flat 3 images have none, such as 0.png; name a set with labels",
        ),
        ("one", "training needs images of two classes or more, all of one are of one, 'cat'"),
        ("demo:digits-unseen", "training needs a label for each image"),
        ("nowhere", "no folder or file nowhere"),
    ):
        ran = run("train", "test_resnet", "--data", data, *QUICK)
        assert (ran.code, len(ran.err.splitlines())) == (3, 1), ran.err
        assert message in ran.err


def test_networks_that_can_not_be_built(run):
    for arch, options, message in (
        ("resnet1888", (), "resnet1888"),
        ("torchvision:resnet19", (), "resnet19"),
        ("test_vit", ("--input-size", "33"), "33"),
        ("test_resnet", ("--model-arg", "nonsense=1"), "nonsense"),
    ):
        ran = run("train", arch, *DATA, *QUICK, *options)
        assert ran.code in {2, 3}
        assert len(ran.err.splitlines()) == 1, ran.err
        assert message in ran.err
        assert not ran.err.startswith("error: unexpected")


@pytest.mark.parametrize("name", ["model.safetensors", "best.safetensors", "last.safetensors", "log.jsonl", "training.json"])
@pytest.mark.parametrize("command", [TRAIN, ("finetune", "demo:digits-v1", *DATA, "--epochs", "1")])
def test_files_of_the_users_own_are_not_replaced(run, tmp_path, name, command):
    (tmp_path / name).write_text("mine")
    ran = run(*command, "-o", ".")
    beside = f". has a {name} and no training of oodkit's beside it"
    found = "training.json is damaged or no training of oodkit's" if name == "training.json" else beside
    message = f"error: {found}; give another folder, a new one\n"
    assert (ran.code, ran.err, (tmp_path / name).read_text()) == (2, message, "mine")


def test_several_processes_need_a_folders_name(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = run(*TRAIN)
    assert (ran.code, ran.err) == (2, "error: several processes write into one folder: name it, -o DIR\n")
    monkeypatch.setenv("RANK", "1")
    assert run(*TRAIN)[:3] == (2, "", "")
    assert not Path("oodkit-runs").exists()


def test_tensorboard_that_is_missing_is_one_line(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    ran = run(*TRAIN, "--tensorboard", "-o", "run")
    message = "TensorBoard is not installed; pip install tensorboard, or leave --tensorboard out"
    assert (ran.code, ran.err.splitlines()[-1]) == (2, f"error: {message}")
