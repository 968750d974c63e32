"""A detector comes back from its file as it was, with its network, wherever that lies."""

from pathlib import Path

import pytest
import timm
import torch

import oodkit
from oodkit.calibration import Calibration
from oodkit.detector import Detector
from oodkit.errors import (
    CheckpointError,
    InputError,
    ModelNotFoundError,
    OutputsError,
    UsageError,
)
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer, one_pass_scorers

from .detectors import crafted, detector_of, pixels, same, tiny_detector


class TestFile:
    @pytest.mark.parametrize("name", one_pass_scorers())
    def test_every_scorer_comes_back_as_it_was(self, tiny_model, tmp_path, name):
        features = torch.rand(80, 6, generator=torch.Generator().manual_seed(1))
        outputs = Outputs(features, torch.arange(80) % 3, head=tiny_model.head)
        outputs = outputs.with_labels(outputs.predictions())
        scorer = make_scorer(name).fit(outputs)
        detector = Detector(tiny_model, scorer, Calibration(scorer.score(outputs).numpy(), 0.1))
        detector.save(tmp_path / "d.safetensors")
        loaded = Detector.load(tmp_path / "d.safetensors", model=tiny_model)
        assert all(torch.equal(*pair) for pair in zip(loaded(pixels()), detector(pixels()), strict=True))
        assert loaded.scorer.settings() == scorer.settings()

    def test_three_lines_are_enough(self, demo, tmp_path):
        detector_of(demo).save(tmp_path / "d.safetensors")
        image = demo[1]["unseen"].load(0)

        detector = oodkit.Detector.load(tmp_path / "d.safetensors")
        found = detector(image)
        same(found, detector_of(demo)(image))
        assert detector.calibration.images == "demo:digits:val"
        assert detector.model.class_names == demo[0].class_names
        assert detector.scorer.spec() == "knn"

    def test_a_bank_is_not_copied(self, demo, tmp_path):
        detector_of(demo).save(tmp_path / "d.safetensors")
        loaded = Detector.load(tmp_path / "d.safetensors", model=demo[0])
        assert loaded.judge.get_buffer("_learnt.bank").data_ptr() == loaded.scorer.state["bank"].data_ptr()

    def test_a_repaired_head_goes_into_the_networks_it_was_made_of(self, demo, tmp_path):
        model, _, _ = demo
        head = Head(model.head.weight.flip(0), model.head.bias.flip(0), model.head.layers)
        repaired = model.with_head(head, method="AugDelete")
        Detector(repaired, make_scorer("mls"), Calibration([0.0], 0.5)).save(tmp_path / "d.safetensors")
        expected = repaired.net(pixels(side=32))
        for given in (None, model, repaired):
            loaded = Detector.load(tmp_path / "d.safetensors", model=given)
            torch.testing.assert_close(loaded(pixels(side=32)).logits, expected)
            torch.testing.assert_close(loaded.model.net(pixels(side=32)), expected)
            assert loaded.model.name == "demo:digits-v2 + AugDelete"
        torch.testing.assert_close(model.net(pixels(side=32)), expected.flip(1))

    def test_other_weights_are_refused_in_one_line_that_says_what_to_do(self, demo, tmp_path):
        path = tmp_path / "d.safetensors"
        detector_of(demo).save(path)
        with pytest.raises(CheckpointError) as caught:
            Detector.load(path, model=oodkit.load_classifier("demo:digits-v1"))
        with pytest.raises(CheckpointError, match=r"x{64}") as crafty:
            Detector.load(crafted(path, weights='"' + "x" * 9999 + '"'), model=demo[0])
        assert len(str(crafty.value)) < 600
        detector_of(demo).save(path)
        with pytest.raises(CheckpointError) as caught:
            Detector.load(path, model=oodkit.load_classifier("demo:digits-v1"))
        hashes = [oodkit.load_classifier(f"demo:digits-{one}").weights_hash() for one in ("v1", "v2")]
        assert str(caught.value) == (
            f"can't use {path}: the weights of demo:digits-v1 are others than it was made with "
            f"(hash {hashes[0]}, not {hashes[1]}); "
            "give the network that it was made with, --model NAME or Detector.load(…, model=load_classifier(NAME, …)) "
            "(demo:digits-v2), or export the detector again"
        )

    def test_one_weight_that_differs_is_enough(self, demo, tmp_path):
        detector_of(demo).save(tmp_path / "d.safetensors")
        other = oodkit.load_classifier("demo:digits-v2")
        other.net.fc.bias.data[0] += 1e-6
        with pytest.raises(CheckpointError, match="the weights of demo:digits-v2 are others"):
            Detector.load(tmp_path / "d.safetensors", model=other)

    def test_other_preprocessing_is_refused_with_what_differs(self, demo, tmp_path):
        detector_of(demo).save(tmp_path / "d.safetensors")
        other = oodkit.load_classifier("demo:digits-v2", mean=(0.1, 0.2, 0.3))
        expected = r"demo:digits-v2 prepares images otherwise than it was calibrated with: mean \[0.1, 0.2, 0.3\], not \["
        with pytest.raises(CheckpointError, match=expected):
            Detector.load(tmp_path / "d.safetensors", model=other)

    def test_preprocessing_that_was_said_is_said_again(self, demo, tmp_path):
        model = oodkit.load_classifier("demo:digits-v2", mean=(0.1, 0.2, 0.3), input_size=32)
        tiny_detector(model).save(tmp_path / "d.safetensors")
        loaded = Detector.load(tmp_path / "d.safetensors")
        assert loaded.model.preprocessing == model.preprocessing
        assert loaded.model.source == {"name": "demo:digits-v2", "mean": [0.1, 0.2, 0.3], "input_size": [3, 32, 32]}

    def test_a_network_of_python_objects_has_to_be_given(self, tiny_model, tmp_path):
        tiny_detector(tiny_model).save(tmp_path / "d.safetensors")
        with pytest.raises(InputError, match="it names no network; give the network that it was made with, --model NAME or"):
            Detector.load(tmp_path / "d.safetensors")
        Detector.load(tmp_path / "d.safetensors", model=tiny_model)

    def test_what_is_no_detector_is_called_so(self, tmp_path):
        Head(torch.ones(2, 3), torch.zeros(2)).save(tmp_path / "head.safetensors")
        with pytest.raises(OutputsError, match="is no oodkit detector: its metadata has no format oodkit-detector-1"):
            Detector.load(tmp_path / "head.safetensors")
        for path in (tmp_path / "absent.safetensors", tmp_path):
            with pytest.raises(OutputsError, match=f"can't read a detector from {path}: "):
                Detector.load(path)

    def test_it_goes_to_the_device_that_is_said(self, demo, tmp_path):
        detector_of(demo).save(tmp_path / "d.safetensors")
        best = "cuda" if torch.cuda.is_available() else "cpu"
        assert Detector.load(tmp_path / "d.safetensors", device="auto").device.type == best
        assert Detector.load(tmp_path / "d.safetensors", device=torch.device("cpu")).device.type == "cpu"
        for absent in ("tpu9", "cuda:99"):
            with pytest.raises(UsageError, match=f"no device '{absent}'"):
                Detector.load(tmp_path / "absent.safetensors", device=absent)

    def test_mps_is_refused_before_anything_is_read(self, tmp_path):
        with pytest.raises(UsageError, match="float64, which MPS lacks; use cpu here"):
            Detector.load(tmp_path / "absent.safetensors", device="mps")


class TestWhereTheNetworkIs:
    @pytest.fixture
    def own(self, tmp_path, monkeypatch):
        """Weights in a folder, a detector made of them below it, and its path."""
        torch.manual_seed(0)
        folder = tmp_path / "project"
        folder.mkdir()
        torch.save(timm.create_model("test_resnet", num_classes=3).state_dict(), folder / "mine.pth")
        monkeypatch.chdir(tmp_path)
        model = oodkit.load_classifier("project/mine.pth", arch="test_resnet", input_size=32, class_names=["a", "b", "c"])
        assert model.source["name"] == "project/mine.pth"
        path = folder / "runs" / "one" / "d.safetensors"
        tiny_detector(model).save(path)
        return path

    def test_the_file_does_not_say_in_which_folders_the_network_lies(self, own):
        assert b"project" not in own.read_bytes()
        assert b"mine.pth" in own.read_bytes()

    def test_the_network_is_found_beside_the_detector_or_above_it(self, own, tmp_path, monkeypatch):
        expected = Detector.load(own)(pixels(side=32))
        monkeypatch.chdir(tmp_path)
        loaded = Detector.load(own)
        assert loaded.model.class_names == ("a", "b", "c")
        same(loaded(pixels(side=32)), expected)
        monkeypatch.chdir(own.parent)
        same(Detector.load("d.safetensors")(pixels(side=32)), expected)

    def test_a_network_below_the_file_is_named_with_the_folders_between_and_found_from_anywhere(self, own, tmp_path, monkeypatch):
        model = oodkit.load_classifier("project/mine.pth", arch="test_resnet", input_size=32, class_names=["a", "b", "c"])
        tiny_detector(model).save("d.safetensors")
        assert b"project/mine.pth" in Path("d.safetensors").read_bytes()
        monkeypatch.chdir(own.parent)
        Detector.load(tmp_path / "d.safetensors")

    def test_sent_away_together_they_are_found_side_by_side(self, own, tmp_path, monkeypatch):
        model = oodkit.load_classifier("project/mine.pth", arch="test_resnet", input_size=32, class_names=["a", "b", "c"])
        tiny_detector(model).save("d.safetensors")
        (tmp_path / "sent").mkdir()
        Path("d.safetensors").rename("sent/d.safetensors")
        Path("project/mine.pth").rename("sent/mine.pth")
        monkeypatch.chdir("/")
        Detector.load(tmp_path / "sent" / "d.safetensors")

    @pytest.mark.parametrize("spelled", ["{}/project/mine.pth", "other/../project/mine.pth", "../away/project/mine.pth"])
    def test_folders_outside_the_working_folder_are_never_named(self, own, tmp_path, monkeypatch, spelled):
        for folder in ("other", "away"):
            (tmp_path / folder).mkdir()
        (tmp_path / "away" / "project").symlink_to(tmp_path / "project")
        monkeypatch.chdir(tmp_path / ("away" if spelled.startswith("../") else "."))
        model = oodkit.load_classifier(spelled.format(tmp_path), arch="test_resnet", input_size=32, class_names=["a", "b", "c"])
        tiny_detector(model).save("d.safetensors")
        assert b"project" not in Path("d.safetensors").read_bytes()

    def test_moved_away_it_says_what_to_give(self, own, tmp_path, monkeypatch):
        moved = tmp_path / "d.safetensors"
        own.rename(moved)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelNotFoundError, match=r"its network is out of reach: no file mine.pth; give .*--model NAME"):
            Detector.load(moved)
        weights = tmp_path / "project" / "mine.pth"
        Detector.load(moved, model=oodkit.load_classifier(str(weights), arch="test_resnet", input_size=32))

    def test_pickles_are_read_as_weights_only(self, own, tmp_path):
        torch.save({"state_dict": {}, "notes": Path("x")}, tmp_path / "project" / "mine.pth")
        with pytest.raises(InputError, match="needs more than weights: pathlib"):
            Detector.load(own)
        with pytest.raises(InputError, match=r"its network .* is built with 'allow_pickle', which a file does not decide"):
            Detector.load(crafted(own, source={"name": "mine.pth", "allow_pickle": True}))
