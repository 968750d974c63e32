"""A pipeline is found in a folder or on the hub, and what would run code of its own is told before anything is fetched."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.models import reach
from oodkit.synth import pipeline_source
from oodkit.synth.pipeline_source import (
    fetched,
    fingerprint,
    is_in_pixels,
    licence_of,
    place_of,
    read_index,
    require_runnable,
    revision_of,
)

from .tiny_pipelines import save_ddpm

DDPM = {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
TEXT = {
    "_class_name": "StableDiffusionPipeline",
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": [None, None],
    "requires_safety_checker": True,
}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.fixture
def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "is_within_reach", lambda url: False)


@pytest.fixture
def repository(hub: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """``own/ddpm`` on a stand-in of the hub, whose address huggingface_hub reads when it is imported."""
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.address)
    folder = save_ddpm(tmp_path / "ddpm")
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    files["README.md"] = b'---\nlicense: other\nlicense_name: "sample\\nlicence"\n---\n# A pipeline\n'
    hub.files["own/ddpm"], hub.private["own/ddpm"] = files, False
    return files


def folder_of(tmp_path: Path, index: object) -> Path:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "model_index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    return tmp_path / "p"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("facebook/DiT-XL-2-256", ("facebook/DiT-XL-2-256", None, None)),
        ("diffusers:a/b@v1.0", ("a/b", None, "v1.0")),
        ("hf:a/b/SiT-XL-2-256@main", ("a/b", "SiT-XL-2-256", "main")),
    ],
)
def test_a_name_of_the_hub(name: str, found: tuple[str, str | None, str | None]) -> None:
    place = place_of(name)
    assert (place.hub_id, place.subfolder, place.revision) == found
    assert place.folder is None


def test_a_folder_that_is_there_wins_over_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "dit").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert place_of("diffusers:own/dit").folder == Path("own/dit")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("diffusers:dit", UsageError, "can't read 'dit': expected OWNER/NAME[@REVISION] on the hub, or the path of a folder"),
        ("diffusers:", UsageError, "a name is missing behind 'diffusers:': expected OWNER/NAME[@REVISION] on the hub, or a folder"),
        ("./dit", ModelNotFoundError, "no folder ./dit; expected a folder with model_index.json"),
    ],
)
def test_what_is_neither_is_refused(name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        place_of(name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("index", "kind", "message"),
    [
        ("{", CheckpointError, "can't read {file}: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", CheckpointError, "{file} names no pipeline (_class_name); expected what pipe.save_pretrained(FOLDER) wrote"),
        *[
            (index, CheckpointError, "{file} names no pipeline (_class_name); expected what pipe.save_pretrained(FOLDER) wrote")
            for index in ({"_class_name": []}, {"_class_name": [1, "x"]}, {"_class_name": None})
        ],
        ({"unet": 1}, CheckpointError, "{file} names no pipeline (_class_name); expected what pipe.save_pretrained(FOLDER) wrote"),
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, index: object, kind: type[Exception], message: str) -> None:
    folder = folder_of(tmp_path, index)
    with pytest.raises(kind) as caught:
        read_index(place_of(str(folder)))
    assert str(caught.value) == message.format(file=folder / "model_index.json")


def test_an_index_nested_too_deep_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^can't read .*model_index\.json: .*"):
        read_index(place_of(str(folder_of(tmp_path, "[" * 99_999))))


def test_a_folder_without_an_index_is_no_pipeline(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"has no model_index.json; expected a folder that pipe.save_pretrained"):
        read_index(place_of(str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "brought"),
    [
        ({"_class_name": ["pipeline", "SiTPipeline"]}, "pipeline.py"),
        ({"unet": ["my_unet", "MyUNet"]}, "my_unet"),
        ({"unet": ["os", "system"]}, "os"),
    ],
)
def test_code_of_its_own_runs_only_when_allowed(change: dict[str, Any], brought: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, index = place_of("own/ddpm"), {**DDPM, **change}
    message = f"own/ddpm brings code of its own ({brought})"
    with pytest.raises(UsageError) as caught:
        require_runnable(place, index, trust_remote_code=False)
    assert str(caught.value) == f"{message}, which would run with your rights; read it, then allow it with --trust-remote-code"
    require_runnable(place, index, trust_remote_code=True)
    monkeypatch.setattr("diffusers.utils.constants.DIFFUSERS_DISABLE_REMOTE_CODE", True)
    with pytest.raises(UsageError) as caught:
        require_runnable(place, index, trust_remote_code=True)
    assert str(caught.value) == f"{message}, and the environment variable DIFFUSERS_DISABLE_REMOTE_CODE forbids it"


def test_a_pipeline_that_reads_text_needs_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_source, "find_spec", lambda name: None if name == "transformers" else find_spec(name))
    require_runnable(place_of("own/ddpm"), DDPM, trust_remote_code=False)
    with pytest.raises(UsageError) as caught:
        require_runnable(place_of("own/text"), TEXT, trust_remote_code=False)
    assert str(caught.value) == "own/text needs the package transformers: pip install 'oodkit[text]'"


def test_which_networks_make_pixels_themselves() -> None:
    assert is_in_pixels(DDPM)
    assert not is_in_pixels(TEXT)
    assert not is_in_pixels({**DDPM, "vqvae": ["diffusers", "VQModel"]})


def test_from_the_hub_by_a_commit_and_then_from_its_cache(
    repository: dict[str, bytes], hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is fetched is whole; its commit and the licence of its card are told; without the network it is there still."""
    place = place_of("diffusers:own/ddpm@main")
    for within_reach in (True, False):
        if not within_reach:
            monkeypatch.setattr(reach, "is_within_reach", lambda url: False)
            hub.files.clear()
        assert read_index(place)["_class_name"] == "DDPMPipeline"
        folder = fetched(place, trust_remote_code=False, variant=None, without=[])
        found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        assert found == {name: repository[name] for name in repository if name != "README.md" or "README.md" in found}
        assert revision_of(place, folder) == {"revision": "0" * 40}
        assert licence_of(place, folder) == "sample licence"


def test_a_folder_of_a_repository(repository: dict[str, bytes], hub: Any) -> None:
    """Repositories of several pipelines hold each in a folder of its own, and only that one is fetched."""
    hub.files["own/zoo"] = {f"{name}/{file}": content for name in ("small", "large") for file, content in repository.items()}
    hub.files["own/zoo"]["README.md"], hub.private["own/zoo"] = repository["README.md"], False
    place = place_of("diffusers:own/zoo/small@main")
    assert read_index(place)["_class_name"] == "DDPMPipeline"
    folder = fetched(place, trust_remote_code=False, variant=None, without=[])
    assert folder.name == "small"
    assert {one.name for one in folder.parent.iterdir()} == {"small"}
    assert revision_of(place, folder) == {"revision": "0" * 40}
    assert licence_of(place, folder) == "sample licence"


def test_a_repository_that_is_no_pipeline(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}")
    with pytest.raises(ModelNotFoundError) as caught:
        read_index(place_of("own/classifier"))
    assert str(caught.value) == "own/classifier has no model_index.json on the hub, so it is no diffusers pipeline"


@pytest.mark.usefixtures("out_of_reach")
def test_out_of_reach_is_one_line_with_the_ways_out() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        read_index(place_of("facebook/DiT-XL-2-256"))
    assert str(caught.value) == (
        f"can't download the weights of facebook/DiT-XL-2-256: {constants.ENDPOINT} can't be reached and they are not in the "
        "cache; give a local copy: --generator-arg weights=FOLDER, or copy a filled cache here (HF_HOME)"
    )


@pytest.mark.usefixtures("out_of_reach")
def test_a_name_that_may_be_meant_as_a_folder_is_told_to_be_none() -> None:
    with pytest.raises(ModelNotFoundError, match=r"cache; there is no folder models/DiT-XL-2-256 here either; give a local copy: "):
        read_index(place_of("models/DiT-XL-2-256"))


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: cc-by-nc-4.0\n---\n", "cc-by-nc-4.0"),
        ("---\nlicense: [mit, \n---\n", "unknown"),
        ("---\n- mit\n---\n", "unknown"),
        ("no facts", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_licence_is_the_model_cards(tmp_path: Path, card: str | None, licence: str) -> None:
    """A card that can't be read stops nothing."""
    folder = folder_of(tmp_path, DDPM)
    if card is not None:
        (folder / "README.md").write_text(card)
    assert licence_of(place_of(str(folder)), folder) == licence


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    """Wherever a byte differs, and in the settings; a card is none of them."""
    folder = folder_of(tmp_path, DDPM)
    weights = folder / "unet.safetensors"
    seen = set()
    for content in (b"\0" * 200_000, b"\1" + b"\0" * 199_999, b"\0" * 100_000 + b"\1" + b"\0" * 99_999, b"\0" * 200_001):
        weights.write_bytes(content)
        seen.add(fingerprint(folder))
    assert len(seen) == 4
    (folder / "README.md").write_text("a card")
    assert fingerprint(folder) in seen
    (folder / "scheduler_config.json").write_text("{}")
    assert fingerprint(folder) not in seen
