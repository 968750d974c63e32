"""Several processes: two with a batch each learn as one with both, and only the first writes. Device and precision of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from oodkit.errors import UsageError
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.journal import read_log
from oodkit.training.processes import join_processes

from .as_process import main
from .toy_run import saved


def in_two(*arguments):
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    script = Path(__file__).with_name("as_process.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [*launcher, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


def test_two_processes_with_a_batch_each_learn_as_one_with_both(tmp_path, image_folder):
    images = image_folder(each=3)
    ended = in_two(tmp_path / "two", images)
    assert ended.returncode == 0, ended.stderr
    main(tmp_path / "one", str(images))
    one, two = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert [line["step"] for line in two] == [line["step"] for line in one] == [1, 2, 2, 3, 4, 4]
    for name in ("loss", "accuracy", "val_accuracy", "val_loss"):
        expected = [line[name] for line in one if name in line]
        assert [line[name] for line in two if name in line] == pytest.approx(expected, rel=1e-5)
    expected = saved(tmp_path / "one")
    for name, tensor in saved(tmp_path / "two").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)
    of_second = load_file(tmp_path / "two" / "of_1.safetensors")["mean"]
    assert not of_second.any(), "the statistics of normalisation layers are those of the first process when networks are judged"


def test_a_loss_that_is_not_finite_in_one_process_ends_both_and_is_not_saved(tmp_path, image_folder):
    ended = in_two(tmp_path, image_folder(each=3), "spoiled")
    assert ended.returncode != 0
    assert "told: the loss became nan by step 3 (epoch 2)" in ended.stderr
    assert Checkpoints(tmp_path).step() == 2
    assert all(tensor.isfinite().all() for tensor in saved(tmp_path).values())


def test_one_process_after_the_other_trains_in_another_precision():
    assert join_processes(device="cpu", amp="bf16").mixed_precision == "bf16"
    again = join_processes(device="cpu")
    assert (again.mixed_precision, again.device.type, again.num_processes) == ("no", "cpu", 1)


def test_half_precision_on_a_cpu_names_what_there_is():
    with pytest.raises(UsageError, match=r"^--amp fp16 needs a GPU, and this runs on the CPU; use --amp bf16 or no$"):
        join_processes(device="cpu", amp="fp16")


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(UsageError, match="no device 'cuda:99' here"):
        join_processes(device="cuda:99")
