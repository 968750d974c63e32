"""Several processes: two with a batch each learn as one with both, and only the first writes. Device and precision of one."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from oodkit.errors import UsageError
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.log import read_log
from oodkit.training.processes import join_processes

from .as_process import main
from .in_two import in_two
from .toy_run import saved


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of two trainings of two processes, one of them spoiled, with the images; and how the processes ended."""
    folder = tmp_path_factory.mktemp("both")
    rng = np.random.default_rng(0)
    for number, name in enumerate(("cat", "dog", "fox") * 3):
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    script = Path(__file__).with_name("as_process.py")
    return folder, in_two(script, folder / "two", folder / "spoiled", folder / "images")


def test_two_processes_with_a_batch_each_learn_as_one_with_both(both):
    folder, ended = both
    assert (folder / "spoiled").is_dir(), ended
    main(folder / "one", str(folder / "images"))
    one, two = read_log(folder / "one"), read_log(folder / "two")
    assert [line["step"] for line in two] == [line["step"] for line in one] == [1, 2, 2, 3, 4, 4]
    for name in ("loss", "accuracy", "val_accuracy", "val_loss"):
        expected = [line[name] for line in one if name in line]
        assert [line[name] for line in two if name in line] == pytest.approx(expected, rel=1e-5)
    expected = saved(folder / "one")
    for name, tensor in saved(folder / "two").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)
    of_second = load_file(folder / "two" / "of_1.safetensors")["mean"]
    assert not of_second.any(), "the statistics of normalisation layers are those of the first process when networks are judged"


def test_what_two_processes_began_one_with_both_batches_goes_on_with(both):
    """The spoiled one stopped after its first epoch; without the spoiling, the second ends where one process gets to."""
    folder, _ = both
    begun = shutil.copytree(folder / "spoiled", folder / "gone on with")
    main(begun, str(folder / "images"))
    main(folder / "in one go", str(folder / "images"))
    assert [line["step"] for line in read_log(begun)] == [1, 2, 2, 3, 4, 4]
    expected = saved(folder / "in one go")
    for name, tensor in saved(begun).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_not_finite_in_one_process_ends_both_and_is_not_saved(both):
    folder, ended = both
    for code, _, said in ended:
        assert code == 1
        assert "told: the loss became nan by step 3 (epoch 2)" in said
    assert Checkpoints(folder / "spoiled").step() == 2
    assert all(tensor.isfinite().all() for tensor in saved(folder / "spoiled").values())


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


def test_processes_wait_for_days_while_the_first_refits_the_last_layer(monkeypatch):
    """accelerate's own patience is 10 or 30 minutes, after which the others die, and torchrun ends the first with them."""
    given = []
    monkeypatch.setattr("accelerate.Accelerator", lambda **options: given.extend(options["kwargs_handlers"]))
    join_processes(device="cpu")
    (group,) = (one.to_kwargs() for one in given if type(one).__name__ == "InitProcessGroupKwargs")
    assert group == {"timeout": timedelta(days=7)}
