"""BigGAN-deep as a generator: an image is a function of its class, its seed, the truncation and the weights."""

import hashlib
import json

import numpy as np
import pytest
import scipy.stats
import torch

from oodkit.errors import CheckpointError, GeneratorError, ModelNotFoundError, UsageError
from oodkit.synth import Request, make_generator
from oodkit.synth.base import ImageClass
from oodkit.synth.biggan_generator import PUBLISHED, truncated_noise
from oodkit.synth.run import synthesize

from .biggan_oracle import one_hot, published

SEEDS = (5, 2**63 - 1, 77)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "narrow.bin"
    torch.save(published(10).state_dict(), path)
    return path


def requests(generator, labels=(0, 207, 999)):
    return [Request(generator.classes[label], 0, seed) for label, seed in zip(labels, SEEDS, strict=True)]


def test_what_it_says_of_itself(weights):
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights), dtype="float32")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    expected = {"weights": "narrow.bin", "sha256": digest, "revision": "", "truncation": 1.0, "dtype": "float32"}
    assert (generator.size, generator.seed_scope, generator.conditional, generator.facts) == (128, "image", True, expected)
    assert generator.licence == "unknown"  # of somebody's file
    assert len(generator.classes) == 1000
    assert (generator.classes[207].folder, generator.classes[207].label) == ("n02099601", 207)


@pytest.mark.parametrize("truncation", [1.0, 0.4])
def test_images_are_the_published_networks_to_a_grey_level(weights, truncation):
    """Noise by scipy's truncated normal of the same uniform numbers; (x + 1) · 127.5, rounded."""
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights), truncation=truncation, dtype="float32")
    images = generator.generate(requests(generator))
    uniform = [torch.rand(128, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).numpy() for seed in SEEDS]
    z = torch.from_numpy(truncation * scipy.stats.truncnorm.ppf(np.stack(uniform), -2, 2)).float()
    expected = (published(10)(z, one_hot(torch.tensor([0, 207, 999])), truncation) + 1) * 127.5
    assert (images.dtype, images.shape) == (torch.uint8, (3, 3, 128, 128))
    assert (images.float() - expected).abs().max() < 0.51


def test_noise_is_a_normal_distribution_cut_off_at_two():
    """Its standard deviation is √(1 − 4φ(2) / erf √2) = 0.8796."""
    noise = truncated_noise(range(300), 128)
    assert noise.abs().max() <= 2
    assert noise.std().item() == pytest.approx(0.8796, abs=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert torch.equal(noise[7:8], truncated_noise([7], 128))


def test_an_image_does_not_depend_on_those_beside_it(weights):
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights), dtype="float32")
    asked = requests(generator)
    together, alone = generator.generate(asked), torch.cat([generator.generate([one]) for one in asked])
    assert (together.int() - alone.int()).abs().max() <= 1
    assert (together != alone).float().mean() < 1e-3


def test_half_precision_makes_the_same_images_nearly(weights):
    """Convolutions alone are in bfloat16, whose 8 bits are of the order of a grey level."""
    whole, half = (
        make_generator("biggan-deep-128", device="cpu", weights=str(weights), dtype=dtype) for dtype in ("float32", "bfloat16")
    )
    assert half.facts["dtype"] == "bfloat16"
    difference = (whole.generate(requests(whole)).int() - half.generate(requests(half)).int()).abs().float()
    assert 0 < difference.mean() < 2


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_unsaid_precision_is_the_devices_best(weights, monkeypatch, fast, precision):
    monkeypatch.setattr("oodkit.synth.precision.fast_in_bf16", lambda _: fast)
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights))
    assert generator.facts["dtype"] == precision
    assert generator.net.generator.conv_to_rgb.weight.dtype == getattr(torch, precision)


@pytest.mark.parametrize("truncation", [0, 1.5, -1, float("nan"), True, "0.4"])
def test_a_truncation_outside_its_range_is_refused(weights, truncation):
    with pytest.raises(UsageError, match="truncation"):
        make_generator("biggan-deep-128", device="cpu", weights=str(weights), truncation=truncation)


def test_weights_of_another_size_are_told(weights):
    text = "narrow.bin makes images of 128 pixels, and biggan is of 256; use --model biggan-deep-128 with it"
    with pytest.raises(CheckpointError, match=text):
        make_generator("biggan", device="cpu", weights=str(weights))


def test_a_class_that_is_none_of_its_own_is_told(weights):
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights))
    for of in (ImageClass("owl", "owl"), ImageClass("x", "x", label=1000), None):
        with pytest.raises(UsageError, match=r"biggan-deep-128 (has no class '(owl|x)'|needs a class)"):
            generator.generate([Request(of, 0, 1)])


def test_images_that_are_not_finite_are_told(weights):
    generator = make_generator("biggan-deep-128", device="cpu", weights=str(weights))
    generator.net.generator.bn.bias.fill_(torch.nan)
    with pytest.raises(GeneratorError, match="biggan-deep-128 made images that are not finite; try --generator-arg dtype=float32"):
        generator.generate(requests(generator))


def test_published_weights_out_of_reach_are_one_line_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(PUBLISHED, 256, "http://127.0.0.1:1/biggan-deep-256-pytorch_model.bin")
    with pytest.raises(ModelNotFoundError, match=r"can't download http.*; give the file: --generator-arg weights=PATH, or put"):
        make_generator("biggan", device="cpu")


def test_from_weights_to_a_folder_of_images(weights, tmp_path):
    images = synthesize(
        "biggan-deep-128",
        tmp_path / "set",
        classes=[ImageClass("n02099601", "golden retriever", label=207), ImageClass("n01443537", "goldfish", label=1)],
        per_class=2,
        device="cpu",
        weights=str(weights),
    )
    assert (len(images), images.class_names) == (4, ("n01443537", "n02099601"))
    run = json.loads((tmp_path / "set" / "run.json").read_text("utf-8"))
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in json.dumps(run)
