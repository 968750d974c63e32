"""A pipeline is loaded whole, or there is one line that says what is wrong; the libraries' noise stays away."""

import json
import logging
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from oodkit.errors import CheckpointError, OodkitError, UsageError
from oodkit.synth.pipeline_loading import load_pipeline, pipeline_class, quiet

from .tiny_pipelines import save_ddpm

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_ddpm(tmp_path_factory.mktemp("ddpm"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


def load(folder: Path):
    return load_pipeline(
        folder, None, device=torch.device("cpu"), dtype=torch.float32, variant=None, parts={}, trust_remote_code=False
    )


def test_a_loaded_pipeline_is_quiet_and_in_evaluation_mode(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = load(folder)
    assert not pipe.unet.training
    assert pipe(num_inference_steps=1, output_type="pt").images.shape == (1, 3, 8, 8)
    assert capfd.readouterr() == ("", "")


def test_weights_that_lack_a_tensor_are_refused(folder: Path) -> None:
    """diffusers fills it with random numbers, logs a warning and goes on."""
    tensors = load_file(folder / WEIGHTS)
    del tensors["conv_in.weight"]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(
        CheckpointError, match=r"^the weights in .*copy are incomplete: Some weights of UNet2DModel .*conv_in.weight"
    ):
        load(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({**tensors, "conv_in.weight": torch.zeros(8, 1, 3, 3)}, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"^can't load .*copy: ValueError: Cannot load .*conv_in.weight"):
        load(folder)


def test_a_truncated_file_is_one_line(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"^can't load .*copy: OSError: .*diffusion_pytorch_model.safetensors'[^\n]*$"):
        load(folder)


def test_a_missing_file_is_one_line(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"^can't load .*copy: OSError: [^\n]*$"):
        load(folder)


def test_a_want_of_memory_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("diffusers.DiffusionPipeline.to", full)
    with pytest.raises(OodkitError) as caught:
        load(folder)
    assert str(caught.value) == f"no room for {folder} on cpu; try --generator-arg dtype=bfloat16 or another --device"


def test_code_in_a_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    """Not even where the index is not looked at before."""
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": ["own", "Own"]}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Own: pass\n")
    with pytest.raises(CheckpointError, match=r"contains custom code in own\.py"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_the_class_is_diffusers_or_the_folders_own() -> None:
    from diffusers import DiTPipeline

    assert pipeline_class("DiTPipeline") is DiTPipeline
    assert pipeline_class(["pipeline", "SiTPipeline"]) is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("DiTPipelin", "did you mean DiTPipeline"),
        ("UNet2DModel", "upgrade diffusers"),
        ("zzz", "upgrade diffusers, if it is a newer one"),
    ],
)
def test_a_class_that_diffusers_lacks(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=rf"^diffusers [\d.]+ has no pipeline '{name}'; {hint}"):
        pipeline_class(name)


def test_quiet_keeps_what_was_said_and_leaves_all_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    import diffusers  # noqa: F401 (whose logger is set up when it is imported)

    logger = logging.getLogger("diffusers")
    before = (logger.handlers, logger.level, logger.propagate)
    with quiet() as said:
        logging.getLogger("diffusers.models").warning("a word of %s", "warning")
        warnings.warn("told aloud", FutureWarning, stacklevel=1)
    assert said == ["a word of warning"]
    assert capfd.readouterr() == ("", "")
    assert (logger.handlers, logger.level, logger.propagate) == before
