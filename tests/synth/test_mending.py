"""A finished synthesis is looked at by the same command: what was lost or damaged since is made again, and that is said."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oodkit.errors import ImageSetError, OodkitError, UnreadableImageError
from oodkit.synth.base import Request
from oodkit.synth.run import carry_out, plan_synthesis, synthesize
from oodkit.synth.storing import is_whole

from .killed_often import contents
from .stand_in import Looks, StandIn, labelling

EACH = {"per_class": 3, "batch_size": 4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "made"
    synthesize(StandIn(), folder, **EACH)
    return folder


def images(folder: Path, suffix: str = "png") -> list[Path]:
    return sorted(folder.rglob(f"*.{suffix}"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


LOSSES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda folder: images(folder)[0].unlink(), "1 of its 9 images are missing or damaged"),
    "empty": (lambda folder: images(folder)[1].write_bytes(b""), "1 of its 9 images are missing or damaged"),
    "cut": (lambda folder: cut(images(folder)[2]), "1 of its 9 images are missing or damaged"),
    "zeros": (lambda folder: images(folder)[8].write_bytes(bytes(300)), "1 of its 9 images are missing or damaged"),
    "class": (lambda folder: shutil.rmtree(folder / "cat"), "3 of its 9 images are missing or damaged"),
    "no manifest": (lambda folder: (folder / "manifest.jsonl").unlink(), "9 of its 9 images are missing or damaged"),
    "cut manifest": (lambda folder: cut(folder / "manifest.jsonl"), "1 of its 9 images are missing or damaged"),
    "more in it": (lambda folder: (folder / "manifest.jsonl").open("a").write("{}\n"), "its manifests are damaged"),
    "end of it": (lambda folder: (folder / "manifest.jsonl").open("a").write("{"), "its manifests are damaged"),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_what_a_finished_folder_lost_is_made_again(whole: Path, tmp_path: Path, loss: str) -> None:
    folder, told = tmp_path / "made", []
    shutil.copytree(whole, folder)
    LOSSES[loss][0](folder)
    assert contents(folder) != contents(whole)
    synthesize(StandIn(), folder, **EACH, say=told.append)
    assert contents(folder) == contents(whole)
    assert told[0].startswith(f"{folder} was finished, and {LOSSES[loss][1]}")
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    synthesize(generator := StandIn(), folder, **EACH, say=told.append)
    assert not generator.asked
    assert told[1:] == [f"{folder} is finished: nothing is made again; another seed or folder makes anew"]


def test_what_was_over_the_quota_is_not_made_again(tmp_path: Path) -> None:
    def make() -> StandIn:
        generator = StandIn(conditional=False)
        with labelling():
            carry_out(plan_synthesis(generator, count=20, per_class=2, batch_size=4, label_with=Looks()), tmp_path)
        return generator

    make()
    before = contents(tmp_path)
    assert "dropped.jsonl" in before
    assert not make().asked
    images(tmp_path)[0].unlink()
    assert len(make().asked) == 1
    assert contents(tmp_path) == before
    (tmp_path / "dropped.jsonl").unlink()
    make()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("rest", [b"", b"\x89PNG", bytes(99)])
def test_a_jpeg_is_whole_by_its_ends_too(tmp_path: Path, rest: bytes) -> None:
    synthesize(StandIn(), tmp_path, per_class=1, save_format="jpeg")
    path = images(tmp_path, "jpg")[0]
    assert is_whole(str(path))
    path.write_bytes(rest)
    assert not is_whole(str(path))
    assert not is_whole(f"{path}\0.jpg")


class Torn(StandIn):
    def generate(self, requests: Sequence[Request]) -> Any:
        return [UnreadableImageError(f"{one.of and one.of.folder}/{one.index}: torn\n") for one in requests]


def test_a_source_of_which_no_image_can_be_had_is_an_error_and_a_mended_one_goes_on(whole: Path, tmp_path: Path) -> None:
    text = r"none of the 9 images of stand-in could be had, the first: cat/0: torn\\n; mend them, and give the same command again"
    for _ in range(2):
        with pytest.raises(ImageSetError, match=text):
            synthesize(Torn(), tmp_path, **EACH)
        assert not (tmp_path / "run.json").exists()
    mended = StandIn()
    mended.facts = {"revision": "mended"}
    synthesize(mended, tmp_path, **EACH)
    assert contents(tmp_path) == contents(whole)


def test_less_confidence_is_advised_only_where_one_was_asked_for(tmp_path: Path) -> None:
    class Mistaken(Looks):
        def __call__(self, images: Any, asked: Any) -> Any:
            return [one._replace(dropped="disagreed") for one in super().__call__(images, asked)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oodkit.synth.planning.Labeller", Mistaken)
        with pytest.raises(OodkitError, match=r"no image was kept in .* \(9 disagreed\); ask another generator$"):
            synthesize(StandIn(), tmp_path, **EACH, label_with=Looks(), keep_agreeing=True)
