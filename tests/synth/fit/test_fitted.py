"""A finished fit is a generator, and what is none is told in one line."""

import json
from shutil import copytree

import pytest
import torch

from oodkit.errors import CheckpointError, GeneratorError, UsageError
from oodkit.synth.base import ImageClass, Request
from oodkit.synth.fit.fitted import FittedDiffusion
from oodkit.tensor_file import load_stored, save_stored

from .tiny import dark_and_bright, fitted, requests

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("fitted")
    return fitted(dark_and_bright(root / "set"), root / "fit", epochs=1)


@pytest.fixture
def copied(folder, tmp_path):
    return copytree(folder, tmp_path / "fit")


def generator(folder, **changes):
    return FittedDiffusion(folder, device="cpu", **{"steps": 4, "dtype": "float32", **changes})


def test_it_makes_images_of_its_classes(folder):
    made = generator(folder)
    images = made.generate(requests(made.classes))
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (4, 3, 8, 8))
    assert [one.folder for one in made.classes] == ["bright", "dark"]
    assert (made.size, made.seed_scope, made.conditional, made.spec) == (8, "image", True, str(folder))
    assert set(made.facts) == {"sha256", "steps", "guidance", "dtype"}
    json.dumps(made.facts)


def test_an_image_is_the_same_alone_and_in_a_batch(folder):
    made = generator(folder)
    asked = requests(made.classes)
    together = made.generate(asked).int()
    for request, image in zip(asked, together, strict=True):
        assert (made.generate([request])[0].int() - image).abs().max() <= 1


def test_seed_and_class_decide_the_image(folder):
    made = generator(folder)
    bright, dark = made.classes
    images = made.generate([Request(bright, 0, 1), Request(bright, 0, 2), Request(dark, 0, 1), Request(bright, 5, 1)])
    assert images[0].equal(images[3])
    assert not images[0].equal(images[1])
    assert not images[0].equal(images[2])


def test_guidance_and_half_precision_change_the_image(folder):
    asked = requests(generator(folder).classes)
    plain = generator(folder).generate(asked)
    assert not generator(folder, guidance=3.0).generate(asked).equal(plain)
    rounded = generator(folder, dtype="bfloat16")
    assert rounded.facts["dtype"] == "bfloat16"
    assert (rounded.generate(asked).float() - plain.float()).abs().mean() < 8


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_unsaid_precision_is_the_devices_best(folder, monkeypatch, fast, precision):
    monkeypatch.setattr("oodkit.synth.precision.fast_in_bf16", lambda _: fast)
    assert generator(folder, dtype="auto").facts["dtype"] == precision


@pytest.mark.parametrize(
    "given", [{"steps": 1}, {"steps": 2.5}, {"steps": True}, {"guidance": -1}, {"guidance": "much"}, {"dtype": "int8"}]
)
def test_settings_out_of_range_are_refused(folder, given):
    with pytest.raises(UsageError, match=f"takes .*{next(iter(given))}"):
        generator(folder, **given)


@pytest.mark.parametrize("of", [None, ImageClass("zebra", "zebra", label=-1), ImageClass("zebra", "zebra", label=2)])
def test_an_unknown_class_is_refused(folder, of):
    with pytest.raises(UsageError, match="has 2 classes, got"):
        generator(folder).generate([Request(of, 0, 0)])


def test_a_folder_without_a_fit_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no fit\.json; oodkit synth fit"):
        generator(tmp_path)


def test_an_unfinished_fit_is_refused(copied):
    document = json.loads((copied / "fit.json").read_text())
    (copied / "fit.json").write_text(json.dumps({**document, "status": "unfinished"}))
    with pytest.raises(UsageError, match="is not finished; the same oodkit synth fit goes on"):
        generator(copied)


def test_damaged_weights_are_told(copied):
    whole = (copied / WEIGHTS).read_bytes()
    (copied / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="can't read a fitted network"):
        generator(copied)


def test_weights_of_another_network_are_told(copied):
    document = json.loads((copied / "fit.json").read_text())
    document["network"]["widths"] = [16, 16]
    (copied / "fit.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="has the weights of another network"):
        generator(copied)


def test_the_configurations_beside_the_weights_are_for_diffusers_alone(folder, copied):
    """fit.json is what counts."""
    for name in ("unet/config.json", "scheduler/scheduler_config.json"):
        (copied / name).write_text(json.dumps({**json.loads((copied / name).read_text()), "sample_size": 64, "sigma_data": 9}))
    asked = requests(generator(folder).classes)
    assert generator(copied).generate(asked).equal(generator(folder).generate(asked))


@pytest.mark.parametrize("network", [{"patch": 0}, {"widths": 8}, {"widths": [-8, 8]}, {"sigma_data": "much"}, {"depth": 2}, None])
def test_a_network_that_can_not_be_built_is_told(copied, network):
    document = json.loads((copied / "fit.json").read_text())
    changed = {"side": 8} if network is None else document["network"] | network
    (copied / "fit.json").write_text(json.dumps({**document, "network": changed}))
    with pytest.raises(CheckpointError, match="its network can't be built"):
        generator(copied)


def test_a_network_larger_than_the_memory_is_not_built(copied):
    """Weights of 10¹⁶ numbers."""
    document = json.loads((copied / "fit.json").read_text())
    (copied / "fit.json").write_text(json.dumps({**document, "network": document["network"] | {"widths": [2**25, 2**25]}}))
    with pytest.raises(CheckpointError, match="has the weights of another network"):
        generator(copied)


@pytest.mark.parametrize("wrong", [7, {}, {"label": "0"}, {"label": 2}, {"folder": 3}, {"name": None}, {"more": 1}])
def test_classes_that_are_none_are_told(copied, wrong):
    document = json.loads((copied / "fit.json").read_text())
    first = {**document["classes"][0], **wrong} if wrong and isinstance(wrong, dict) else wrong
    (copied / "fit.json").write_text(json.dumps({**document, "classes": [first, document["classes"][1]]}))
    with pytest.raises(UsageError, match=r"fit\.json is damaged: it says what can't be told"):
        generator(copied)


def test_weights_that_are_not_finite_are_told(copied):
    tensors, _ = load_stored(copied / WEIGHTS, "weights")
    first = next(iter(tensors))
    save_stored(copied / WEIGHTS, {**tensors, first: torch.full_like(tensors[first], float("nan"))}, {})
    with pytest.raises(CheckpointError, match="are not finite"):
        generator(copied)


def test_pixels_that_are_not_finite_are_told(folder):
    made = generator(folder)
    with torch.no_grad():
        made.denoiser.unet.conv_out.bias.fill_(float("inf"))
    with pytest.raises(GeneratorError, match="not finite"):
        made.generate(requests(made.classes))
