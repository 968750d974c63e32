"""A checkpoint that holds the weights twice: every command that loads it says which were taken."""

import json

import pytest
import torch

import oodkit

TOLD = "ema.pth holds state_dict_ema and state_dict; taken: state_dict_ema"
LOADING = ("--arch", "test_resnet", "--input-size", "32")
QUICK = ("--limit", "60", "--scorer", "mls", "--baseline", "none", "--workers", "0", "--device", "cpu")


@pytest.fixture
def averaged(tmp_path):
    state = oodkit.load_classifier("demo:digits-v2").net.state_dict()
    torch.save({"state_dict": state, "state_dict_ema": state}, tmp_path / "ema.pth")
    return "ema.pth"


@pytest.mark.parametrize("code", [False, True])
def test_a_diagnosis_has_it_among_its_notes(run, averaged, tmp_path, code):
    (tmp_path / "own.py").write_text("import timm\n\n\ndef net():\n    return timm.create_model('test_resnet', num_classes=8)\n")
    named = ("py:own.py:net", "--checkpoint", averaged, *LOADING[2:]) if code else (averaged, *LOADING)
    ran = run("diagnose", *named, "--id", "demo:digits", "--near", "unseen=demo:digits-unseen", *QUICK, "-o", "run")
    assert (ran.code, TOLD in " ".join(ran.out.split())) == (0, True), ran.err
    assert "taken" not in json.loads((tmp_path / "run/result.json").read_text())["models"][0]["facts"]


def test_an_export_says_it_on_stderr(run, averaged):
    ran = run("export", averaged, *LOADING, "-o", "head.safetensors")
    assert (ran.code, ran.err) == (0, f"note: {TOLD}\n")
