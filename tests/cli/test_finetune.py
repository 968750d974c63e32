"""``oodkit finetune`` goes on from a checkpoint's weights."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oodkit
from oodkit.tensor_file import load_stored

QUICK = ("--workers", "0", "--device", "cpu", "--batch-size", "16")
DIGITS = ("--data", "demo:digits:train", "--val", "demo:digits:val", "--limit", "32", *QUICK)
STILL = ("--epochs", "1", "--lr", "1e-12", "--weight-decay", "0")


def said(folder="run"):
    return json.loads((Path(folder) / "training.json").read_text("utf-8"))


@pytest.fixture
def stripes(tmp_path):
    """Two classes that no model knows."""
    for name in ("across", "along"):
        (tmp_path / "stripes" / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.zeros((32, 32), dtype=np.uint8)
            pixels[(slice(None), slice(number, None, 4)) if name == "along" else slice(number, None, 4)] = 255
            Image.fromarray(pixels).convert("RGB").save(tmp_path / "stripes" / name / f"{number}.png")
    return str(tmp_path / "stripes")


def test_it_starts_from_the_weights_and_keeps_the_last_layer_where_the_classes_are_the_models(run):
    ran = run("finetune", "demo:digits-v1", *DIGITS, *STILL, "-o", "run")
    assert ran.code == 0, ran.err
    assert "replaced" not in ran.err
    start = oodkit.load_classifier("demo:digits-v1").net.state_dict()
    for name, weight in oodkit.load_classifier("local-dir:run").net.state_dict().items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert weight.allclose(start[name], atol=1e-6), name
    assert said()["result"]["val_accuracy"] > 0.8
    assert said()["asked"]["start"]["model"] == "demo:digits-v1"


def test_other_classes_get_a_fresh_last_layer_and_it_is_said(run, stripes):
    ran = run("finetune", "demo:digits-v1", "--data", stripes, *QUICK, "--epochs", "1", "-o", "run")
    assert ran.code == 0, ran.err
    assert f"note: {stripes} has other classes than demo:digits-v1: its last layer is replaced by a fresh one of 2" in ran.err
    assert oodkit.load_classifier("local-dir:run").class_names == ("across", "along")


def test_ten_epochs_at_a_hundredth_unless_said_otherwise(run, stripes):
    run("finetune", "demo:digits-v1", "--data", stripes, *QUICK, "-q")
    settings = said("oodkit-runs/finetune-001")["asked"]["settings"]
    assert (settings["epochs"], settings["lr"]) == (10, 0.01)


def test_a_run_can_be_trained_on_by_its_folder_and_its_file(run):
    run("train", "test_resnet", *DIGITS, "--input-size", "32", "--epochs", "1", "-o", "first", "-q")
    for name, folder in (("local-dir:first", "second"), ("first/model.safetensors", "third")):
        ran = run("finetune", name, *DIGITS, "--epochs", "1", "-o", folder)
        assert ran.code == 0, ran.err
        assert said(folder)["asked"]["stem"] == "small"
    one, other = (load_stored(Path(folder) / "model.safetensors", "a file")[0] for folder in ("second", "third"))
    assert all(weight.equal(other[name]) for name, weight in one.items())


def test_the_same_model_with_other_weights_is_another_training(run):
    for seed in ("0", "1"):
        run("train", "test_resnet", *DIGITS, "--input-size", "32", "--epochs", "1", "-o", f"start{seed}", "--seed", seed, "-q")
    run("finetune", "local-dir:start0", *DIGITS, "--epochs", "1", "-o", "run", "-q")
    ran = run("finetune", "local-dir:start1", *DIGITS, "--epochs", "1", "-o", "run")
    assert ran.code == 2
    assert "run holds another training: start" in ran.err


def test_a_model_that_is_not_there_is_one_line(run):
    ran = run("finetune", "demo:digits-v3", *DIGITS)
    assert (ran.code, len(ran.err.splitlines())) == (3, 1)
    assert "demo:digits-v1" in ran.err


def test_the_accuracy_before_is_told_and_harm_is_named_with_its_remedies(run):
    """Mirrored digits and a large learning rate ruin a network that knows all of them."""
    ran = run("finetune", "demo:digits-v1", *DIGITS, "--epochs", "2", "--lr", "1", "-o", "run")
    assert ran.code == 0, ran.err
    assert "before: accuracy 100.0 % on demo:digits:val" in ran.err
    log = [json.loads(line) for line in (Path("run") / "log.jsonl").read_text("utf-8").splitlines()]
    assert log[0] == {"epoch": 0, "step": 0, "val_accuracy": 1.0}
    result = said()["result"]
    assert (result["val_accuracy_at_start"], result["val_accuracy"] < 0.8, result["best"]["epoch"] > 0) == (1.0, True, True)
    assert f"accuracy on demo:digits:val: {100 * result['val_accuracy']:.1f} %, 100.0 % before the training" in ran.out
    fell = f"note: the accuracy on demo:digits:val fell from 100.0 % to {100 * result['val_accuracy']:.1f} %"
    assert f"{fell}: try a lower --lr than 1, and --no-flip where a mirrored image is none of its class" in ran.out


def test_no_harm_is_named_where_there_is_none_or_nothing_to_compare_with(run, stripes):
    assert "fell" not in run("finetune", "demo:digits-v1", *DIGITS, *STILL, "-o", "run").out
    assert said()["result"]["caution"] == ""
    ran = run("finetune", "demo:digits-v1", "--data", stripes, *QUICK, "--epochs", "1", "-o", "other")
    assert (said("other")["result"]["val_accuracy_at_start"], "before: accuracy" in ran.err) == (None, False)
