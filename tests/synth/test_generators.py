"""From a spec to a generator: the names there are, what each is made with, and what is no name."""

import inspect

import pytest

from oodkit.errors import ModelNotFoundError, UsageError
from oodkit.synth import (
    FOLDERS,
    GENERATORS,
    SCHEMES,
    Generator,
    Request,
    biggan_generator,
    classes_beforehand,
    imagenet_classes,
    make_generator,
    pipelines,
)
from oodkit.synth.arguments import known_arguments, takes_any
from oodkit.synth.fit.fitted import FittedDiffusion

from .fit.tiny import dark_and_bright
from .fit.tiny import fitted as fit_of

EVERY = {**GENERATORS, **SCHEMES, **FOLDERS}


@pytest.fixture
def recorder(monkeypatch):
    """A maker in the place of BigGAN and of diffusers' pipelines that keeps what it is made with."""

    class Recorded(Generator):
        def __init__(self, spec, *, device="auto", trust_remote_code=False, size=256, weights="", truncation=1.0, **call):
            self.spec, self.made_with = spec, {key: value for key, value in locals().items() if key not in {"self", "__class__"}}
            self.size, self.facts = size, {}

        def generate(self, requests):
            return []

    monkeypatch.setattr(biggan_generator, "BigGAN", Recorded)
    monkeypatch.setattr(pipelines, "Pipeline", Recorded)


def test_the_names_there_are():
    assert list(GENERATORS) == [
        "biggan",
        "biggan-deep-128",
        "biggan-deep-256",
        "biggan-deep-512",
        "dit-256",
        "dit-512",
        "consistency-imagenet64",
        "ddpm-cifar10",
    ]
    assert list(SCHEMES) == ["diffusers", "dir", "npy", "wds", "py"]


@pytest.mark.parametrize("name", EVERY)
def test_what_is_listed_is_made_by_a_generator_that_takes_what_is_listed(name):
    listed, maker = EVERY[name], EVERY[name].maker
    assert issubclass(maker, Generator)
    assert inspect.getdoc(maker)
    assert takes_any(maker) or set(listed.arguments) <= set(known_arguments(maker))


def test_a_name_brings_its_arguments_and_its_licence(recorder):
    assert make_generator("biggan", device="cpu").made_with["size"] == 256
    made = make_generator("biggan-deep-128", truncation=0.4)
    assert (made.made_with["size"], made.made_with["truncation"], made.licence) == (
        128,
        0.4,
        "Apache-2.0 (of the original weights)",
    )
    assert make_generator("dit-256").licence == "CC-BY-NC-4.0"
    assert make_generator("ddpm-cifar10", num_inference_steps=20).made_with["call"] == {
        "pipeline": "DDIMPipeline",
        "num_inference_steps": 20,
    }


def test_the_list_and_the_generator_say_the_same_licence(tmp_path):
    assert GENERATORS["biggan"].licence == biggan_generator.LICENCE
    fitted = FittedDiffusion(fit_of(dark_and_bright(tmp_path / "set"), tmp_path / "fit", epochs=1), device="cpu")
    assert FOLDERS["fit.json"].licence == fitted.licence == "as the images it was fitted to"


def test_the_licence_of_other_weights_is_not_the_tables(recorder):
    made = make_generator("dit-256", weights="mine")
    assert (made.made_with["weights"], made.licence) == ("mine", "unknown")


def test_imagenets_classes_are_known_before_anything_is_fetched():
    known = {name: classes_beforehand(name) for name in (*GENERATORS, "diffusers:someone/net")}
    assert {name for name, classes in known.items() if classes is None} == {"ddpm-cifar10", "diffusers:someone/net"}
    assert known["biggan"] == imagenet_classes()
    assert classes_beforehand("biggan", ["truncation", "weights"]) is None


def test_device_and_trust_reach_those_that_take_them(recorder, image_folder):
    made = make_generator("diffusers:someone/net@main", device="cpu", trust_remote_code=True)
    assert (made.spec, made.made_with["device"], made.made_with["trust_remote_code"]) == ("diffusers:someone/net@main", "cpu", True)
    root = image_folder()
    assert make_generator(f"dir:{root}", device="cpu").facts["images"] == 12
    with pytest.raises(UsageError, match="runs no repository code: leave out --trust-remote-code"):
        make_generator(f"dir:{root}", trust_remote_code=True)


def test_a_folder_is_told_by_the_file_in_it(recorder, tmp_path, monkeypatch):
    (tmp_path / "pipe").mkdir()
    (tmp_path / "pipe" / "model_index.json").write_text("{}")
    assert make_generator(str(tmp_path / "pipe")).made_with["weights"] == ""
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError) as caught:
        make_generator(str(tmp_path / "none"))
    told = "is a folder without fit.json and model_index.json, so no generator; images in it are given as dir:"
    assert str(caught.value) == f"{tmp_path / 'none'} {told}{tmp_path / 'none'}"
    monkeypatch.chdir(tmp_path / "none")
    with pytest.raises(UsageError, match="no generator ''; there are biggan, "):
        make_generator("")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("bigan", "no generator 'bigan'; did you mean biggan?"),
        ("DiT-XL-256", "no generator 'DiT-XL-256'; did you mean dit-256?"),
        ("demo:digits", "no generator 'demo:digits'; its kind demo: is none of diffusers:, dir:, npy:, wds:, py:"),
        (
            "google/ddpm",
            "no generator 'google/ddpm'; there is no such folder; a repository of diffusers is given as diffusers:google/ddpm",
        ),
        (
            "w.safetensors",
            "no generator 'w.safetensors'; weights are given as in --model biggan --generator-arg weights=w.safetensors",
        ),
    ],
)
def test_what_is_no_generator_is_told_what_may_be_meant(spec, told):
    with pytest.raises(UsageError) as caught:
        make_generator(spec)
    assert str(caught.value) == told


def test_an_argument_that_a_generator_does_not_take_is_refused_before_it_is_made(tmp_path):
    with pytest.raises(UsageError, match=r"unknown argument of biggan: 'truncate'; did you mean truncation\?"):
        make_generator("biggan", truncate=0.5)
    with pytest.raises(UsageError, match="unknown argument of npy:x: 'steps'; there are none"):
        make_generator("npy:x", steps=3)


def test_a_function_is_a_generator_by_its_file(tmp_path):
    code = "import numpy as np\n\ndef black(classes, seeds, side=2):\n    return np.zeros((len(seeds), side, side, 3), np.uint8)\n"
    (tmp_path / "mine.py").write_text(code)
    made = make_generator(f"py:{tmp_path / 'mine.py'}:black", side=5)
    assert made.generate([Request(None, 0, 1)]).shape == (1, 3, 5, 5)


@pytest.mark.parametrize("spec", ["x" * 300, f"diffusers:{'x' * 300}"])
def test_what_is_too_long_for_a_path_is_no_generator(spec):
    """As a prompt is that was meant for another option; pathlib raises an OSError there."""
    with pytest.raises(UsageError, match=r"^(no generator|can't read) 'x+'; |^can't read 'x+': expected OWNER/NAME"):
        make_generator(spec)
    with pytest.raises(ModelNotFoundError, match=r"^no file or folder x+; look at the path$"):
        make_generator("biggan", weights="x" * 300)
