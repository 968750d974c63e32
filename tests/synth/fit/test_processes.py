"""Two processes fit together: each step has the images of both, and the first alone writes."""

import json
from pathlib import Path

import torch

from oodkit.synth.fit.fitted import FittedDiffusion
from oodkit.training.log import read_log

from ...training.in_two import in_two  # noqa: TID252 (tests are no package)
from .tiny import dark_and_bright, requests


def test_two_processes_make_one_fit(tmp_path):
    dark_and_bright(tmp_path / "set")
    told = in_two(Path(__file__).with_name("as_process.py"), tmp_path / "set", tmp_path / "fit")
    assert [code for code, _, _ in told] == [0, 0], told
    document = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert (document["status"], document["asked"]["processes"]) == ("finished", 2)
    assert read_log(tmp_path / "fit")[-1]["step"] == 2 * 24 // 8
    generator = FittedDiffusion(tmp_path / "fit", device="cpu", steps=2)
    assert generator.generate(requests(generator.classes)).dtype == torch.uint8
