"""A detector gives what extraction, scorer and calibration give, as one module and one file; a stranger's file may ask little."""

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import oodkit
from oodkit.calibration import Calibration
from oodkit.detector import Detector
from oodkit.errors import (
    CheckpointError,
    InputError,
    ModelNotFoundError,
    NotApplicableError,
    NotFittedError,
    OutputsError,
    UnreadableImageError,
    UsageError,
)
from oodkit.head import Head
from oodkit.models.untrusted import stored_source
from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.scorers import make_scorer, one_pass_scorers
from oodkit.tensor_file import load_stored


@pytest.fixture(scope="module")
def demo():
    """Model and outputs of the demo: train, val and what it never saw."""
    model = oodkit.load_classifier("demo:digits-v2")
    sets = {"train": "demo:digits:train", "val": "demo:digits:val", "unseen": "demo:digits-unseen"}
    images = {name: oodkit.open_images(spec) for name, spec in sets.items()}
    outputs = {name: oodkit.extract(model, one, cache=False, workers=0) for name, one in images.items()}
    return model, images, outputs


def detector_of(demo, name="knn", alpha=0.05):
    model, _, outputs = demo
    scorer = make_scorer(name)
    scorer = scorer.fit(outputs[scorer.fits_on]) if scorer.fits_on else scorer
    return Detector(model, scorer, Calibration(scorer.score(outputs["val"]).numpy(), alpha, "demo:digits:val"))


def tiny_detector(model, scorer=None, scores=(-1.0, 0.0, 1.0)):
    return Detector(model, scorer or make_scorer("mls"), Calibration(list(scores), 0.5))


def pixels(count=5, side=8, seed=0):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def crafted(path, tensors=None, **words):
    """The file with other tensors or metadata and no checksum, as whoever crafts one leaves it out. None takes a word away."""
    found, facts = load_stored(path, "it")
    facts |= {name: word if isinstance(word, str) else json.dumps(word) for name, word in words.items() if word is not None}
    facts = {name: fact for name, fact in facts.items() if words.get(name, "") is not None}
    copies = {name: tensor.clone() for name, tensor in found.items()}
    save_file({**copies, **(tensors or {})}, path, facts)
    return path


def same(one, other):
    for own, others in zip(one, other, strict=True):
        torch.testing.assert_close(own, others, rtol=1e-5, atol=1e-5)


class TestScores:
    @pytest.mark.parametrize("name", ["mls", "knn", "vim", "react"])
    def test_they_are_those_of_extraction_scorer_and_calibration(self, demo, name):
        _, images, outputs = demo
        detector = detector_of(demo, name)
        for which in ("unseen", "val"):
            found = detector([images[which].load(i) for i in range(60)])
            expected = detector.scorer.score(outputs[which])[:60]
            torch.testing.assert_close(found.scores, expected, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found.logits, outputs[which].logits[:60], rtol=1e-5, atol=1e-5)
            assert found.p_values.numpy() == pytest.approx(detector.calibration.p_values(found.scores.numpy()))
            assert torch.equal(found.accepted, torch.from_numpy(detector.calibration.accepts(found.scores.numpy())))

    def test_of_the_calibration_images_it_rejects_alpha_and_of_others_most(self, demo):
        """k − 1 of n calibration images lie below the k-th smallest; n = 289, k = floor(0.05 · 290) = 14."""
        _, _, outputs = demo
        detector = detector_of(demo)
        assert int((~detector.detections(outputs["val"].features).accepted).sum()) == 13
        assert (~detector.detections(outputs["unseen"].features).accepted).float().mean() > 0.8

    def test_features_in_half_precision_and_in_any_number_give_the_same(self, demo):
        _, _, outputs = demo
        detector, features = detector_of(demo), outputs["unseen"].features
        half = features.half()
        same(detector.detections(half), detector.detections(half.float()))
        many = features[torch.arange(2 * CHUNK_ROWS + 3) % len(features)]
        same(detector.detections(many), [one[torch.arange(len(many)) % len(features)] for one in detector.detections(features)])

    def test_what_is_not_finite_is_not_accepted(self, tiny_model):
        detector = tiny_detector(tiny_model)
        batch = pixels(3)
        batch[1] = torch.nan
        batch[2] = torch.inf
        found = detector(batch)
        assert found.scores.isfinite().tolist() == found.p_values.isfinite().tolist() == [True, False, False]
        assert found.accepted.tolist()[1:] == [False, False]

    def test_autocast_leaves_the_scorer_in_full_precision(self, tiny_model):
        detector = tiny_detector(tiny_model, make_scorer("ebo"))
        with torch.autocast("cpu", torch.bfloat16):
            found = detector(pixels())
        assert (found.scores.dtype, found.p_values.dtype, found.logits.dtype) == (torch.float64, torch.float64, torch.float32)
        torch.testing.assert_close(found.scores, found.logits.double().logsumexp(1))


class TestImages:
    def test_an_image_a_list_and_a_batch_are_one(self, demo):
        _, images, _ = demo
        detector = detector_of(demo)
        pictures = [images["unseen"].load(i) for i in range(4)]
        together = detector(pictures)
        same(detector(tuple(pictures)), together)
        same(detector(torch.stack([detector.transform(one) for one in pictures])), together)
        same(detector(pictures[2]), [one[2:3] for one in together])

    def test_a_picture_is_taken_as_from_a_file(self, tiny_model, tmp_path):
        """Upright, without alpha, grey of 16 bits scaled; and the picture itself stays as it was."""
        detector = tiny_detector(tiny_model)
        rng = np.random.default_rng(0)
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(rng.integers(0, 256, (9, 14, 3), dtype=np.uint8)).save(tmp_path / "turned.png", exif=exif)
        Image.fromarray(rng.integers(0, 256, (9, 14, 4), dtype=np.uint8), "RGBA").save(tmp_path / "alpha.png")
        Image.fromarray(rng.integers(0, 65536, (9, 14), dtype=np.uint16)).save(tmp_path / "grey.png")
        outputs = oodkit.extract(tiny_model, oodkit.open_images(str(tmp_path)), cache=False, workers=0, labelled=False)
        for row, name in enumerate(("alpha", "grey", "turned")):
            with Image.open(tmp_path / f"{name}.png") as image:
                torch.testing.assert_close(detector(image).logits[0], outputs.logits[row])
                assert image.size == (14, 9)

    def test_a_batch_of_another_precision_is_taken_as_the_networks(self, tiny_model):
        detector = tiny_detector(tiny_model)
        expected = detector(pixels())
        same(detector(pixels().double()), expected)
        tiny_model.net.double()
        assert detector(pixels()).logits.dtype == torch.float64

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            ("cat.jpg", "expected a PIL image, a list of PIL images or a batch of tensors, got a str of something else; open"),
            (["cat.jpg"], "got a list of something else; open files with PIL.Image.open, or give them to oodkit score"),
            (np.zeros((8, 8, 3), np.uint8), "got a ndarray"),
            ([], "expected at least one image, got an empty list"),
            (torch.zeros(3, 8, 8), r"expected a batch \(N, 3, 8, 8\) of floats, as detector.transform makes .*, got \(3, 8, 8\)"),
            (torch.zeros(1, 3, 9, 8), r"got \(1, 3, 9, 8\) of torch.float32"),
            (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "got .* of torch.uint8"),
        ],
        ids=["path", "paths", "array", "nothing", "no batch", "size", "bytes"],
    )
    def test_anything_else_is_refused_with_what_belongs_there(self, tiny_model, images, message):
        with pytest.raises(UsageError, match=message) as caught:
            tiny_detector(tiny_model)(images)
        assert "\n" not in str(caught.value)

    def test_a_picture_that_breaks_off_is_named(self, tiny_model, tmp_path):
        path = tmp_path / "a.png"
        Image.effect_noise((64, 64), 50).save(path)
        path.write_bytes(path.read_bytes()[:900])
        with Image.open(path) as broken, pytest.raises(UnreadableImageError, match="image 1 of 2: image file is truncated"):
            tiny_detector(tiny_model)([Image.new("RGB", (8, 8)), broken])


class TestModule:
    def test_it_stays_in_evaluation_mode_and_carries_no_gradients(self, tiny_model):
        tiny_model.net.train()
        detector = tiny_detector(tiny_model)
        around = nn.Sequential(detector).train()
        assert [module.training for module in around.modules()] == [True] + [False] * (len(list(around.modules())) - 1)
        assert not detector.train().training
        assert not any(one.requires_grad for one in detector(pixels().requires_grad_()))

    def test_its_state_is_the_networks_and_what_it_learnt(self, demo):
        detector = detector_of(demo)
        names = detector.state_dict().keys()
        assert {"network.net.fc.weight", "judge.weight", "judge._learnt.bank", "ranked"} <= names
        assert torch.equal(detector.state_dict()["network.net.fc.weight"], demo[0].head.weight)

    def test_copies_and_pickles_answer_alike(self, demo):
        detector = detector_of(demo)
        batch = pixels(6, side=32)
        for other in (copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
            same(other(batch), detector(batch))
            other.network.net.fc.weight.data.zero_()
        assert detector(batch).logits.any()

    def test_it_moves_where_it_is_sent(self, tiny_model):
        there = tiny_detector(tiny_model, make_scorer("ebo")).to("meta")
        assert {one.device.type for one in (*there.parameters(), *there.buffers())} == {"meta"} == {there.device.type}

    def test_its_parts_come_to_where_the_network_is(self, tiny_model):
        """A head and a scorer on the CPU beside a network elsewhere; "meta" stands in for a GPU."""
        bank = make_scorer("knn", k=2).fit(Outputs(torch.rand(9, 6), head=tiny_model.head))
        tiny_model.net.to("meta")
        detector = tiny_detector(tiny_model, bank)
        assert {one.device.type for one in (*detector.parameters(), *detector.buffers())} == {"meta"} == {detector.device.type}

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
    def test_a_network_on_a_gpu_takes_its_parts_there(self, demo):
        model = oodkit.load_classifier("demo:digits-v2")
        expected = tiny_detector(model)(pixels(side=32))
        model.net.to("cuda")
        same([one.cpu() for one in tiny_detector(model)(pixels(side=32))], expected)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
    def test_on_a_gpu_it_answers_alike(self, demo):
        batch = pixels(6, side=32)
        expected = detector_of(demo)(batch)
        there = detector_of(demo).to("cuda")
        same([one.cpu() for one in there(batch)], expected)
        there.to("cpu")

    @pytest.mark.slow  # of a small network: test_detector_compiled.py
    def test_it_compiles_as_one_graph_and_exports_for_any_number_of_images(self, demo):
        detector = detector_of(demo, "knn")
        whole = torch.compile(detector, backend="eager", fullgraph=True)
        for count in (4, 7, 4):
            same(whole(pixels(count, side=32)), detector(pixels(count, side=32)))
        program = torch.export.export(detector, (pixels(4, side=32),), dynamic_shapes=({0: torch.export.Dim("n")},))
        same(program.module()(pixels(9, side=32)), detector(pixels(9, side=32)))

    def test_threads_get_their_own_answers(self, tiny_model):
        detector = tiny_detector(tiny_model)
        batches = [pixels(n + 1, seed=n) for n in range(8)] * 25
        expected = [detector(batch) for batch in batches]
        with ThreadPoolExecutor(8) as threads:
            for found, alone in zip(threads.map(detector, batches), expected, strict=True):
                same(found, alone)

    def test_detectors_of_one_network_share_its_hooks(self, tiny_model):
        for _ in range(3):
            detector = tiny_detector(tiny_model)
        assert len(tiny_model.net.head._forward_pre_hooks) == 1
        assert torch.equal(detector(pixels()).logits, tiny_model.net(pixels()))

    def test_a_head_over_a_map_and_averaged_heads_are_read_as_extraction_reads_them(self):
        for name in ("squeezenet1_0", "test_efficientnet"):
            torch.manual_seed(0)
            net = timm.create_model(name, num_classes=5).eval() if name.startswith("test") else _Averaged().eval()
            model = replace(oodkit.load_classifier("demo:digits-v1"), net=net, head=oodkit.classifier.find_head(net, (3, 32, 32)))
            found = Detector(model, make_scorer("mls"), Calibration([0.0], 0.5))(pixels(3, side=32))
            torch.testing.assert_close(found.logits, net(pixels(3, side=32)), rtol=1e-4, atol=1e-5)


class _Averaged(nn.Module):
    """Two heads of different features, of which the logits are the mean."""

    def __init__(self):
        super().__init__()
        self.bodies = nn.ModuleList(nn.Linear(3072, width) for width in (5, 7))
        self.heads = nn.ModuleList(nn.Linear(width, 4) for width in (5, 7))

    def forward(self, images):
        return sum(head(body(images.flatten(1)).relu()) for body, head in zip(self.bodies, self.heads, strict=True)) / 2


class TestWhatCanBeADetector:
    @pytest.mark.parametrize("name", ["odin", "rankfeat"])
    def test_a_scorer_that_runs_the_network_again_can_not(self, tiny_model, name):
        with pytest.raises(NotApplicableError, match=f"{name} runs the network again on each image; take a scorer of features"):
            tiny_detector(tiny_model, make_scorer(name))

    def test_one_that_has_learnt_nothing_can_not(self, tiny_model):
        with pytest.raises(NotFittedError, match="knn has not been fitted"):
            tiny_detector(tiny_model, make_scorer("knn"))

    def test_one_of_another_network_can_not(self, tiny_model, demo):
        with pytest.raises(NotApplicableError, match=r"knn was fitted on features of .* entries and 8 classes, got 6 and 3"):
            tiny_detector(tiny_model, detector_of(demo).scorer)


class TestCalibrated:
    def test_it_scores_the_outputs_itself(self, demo):
        model, _, outputs = demo
        detector = Detector.calibrated(model, make_scorer("mls"), outputs["val"], 0.1, "the val images")
        expected = detector_of(demo, "mls", 0.1).calibration
        assert detector.calibration.scores.tolist() == expected.scores.tolist()
        assert (detector.calibration.alpha, detector.calibration.images) == (0.1, "the val images")
        assert detector.calibration.dtype == "float32"

    def test_outputs_of_another_head_are_refused(self, demo):
        model, _, outputs = demo
        head = Head(model.head.weight.flip(0), model.head.bias.flip(0), model.head.layers)
        repaired = model.with_head(head)
        mls, val = make_scorer("mls"), outputs["val"]
        remedy = r"; take extract\(model, …\), or outputs.with_head\(model.head\) where only the head was exchanged"
        with pytest.raises(UsageError, match=f"come from its own head, and another head made their logits{remedy}"):
            Detector.calibrated(repaired, mls, val)
        with pytest.raises(UsageError, match=f"and their logits came without a head{remedy}"):
            Detector.calibrated(model, mls, Outputs(val.features, logits=val.logits))
        Detector.calibrated(repaired, mls, val.with_head(repaired.head))

    def test_the_precision_of_the_outputs_is_stored(self, demo, tmp_path):
        """And a file of before that was stored is taken for one of float32."""
        model, _, outputs = demo
        half = Outputs(outputs["val"].features.bfloat16(), head=model.head)
        path = tmp_path / "d.safetensors"
        Detector.calibrated(model, make_scorer("mls"), half).save(path)
        assert Detector.load(path).calibration.dtype == "bfloat16"
        assert Detector.load(crafted(path, calibration_dtype=None)).calibration.dtype == "float32"


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
            with pytest.raises(UsageError, match=f"no device '{absent}' here"):
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


class TestAStrangersFile:
    def test_it_never_runs_code(self, demo, tmp_path, monkeypatch):
        """Neither by a py: name, nor by what stands beside it."""
        monkeypatch.chdir(tmp_path)
        Path("evil.py").write_text("open('ran', 'w').close()\ndef net(): pass\n")
        detector_of(demo).save("d.safetensors")
        for name in ("py:evil:net", "py:evil.py:net", f"py:{tmp_path}/evil.py:net"):
            with pytest.raises(InputError, match=f"its network {name} is made by running code, which a file does not start; give "):
                Detector.load(crafted(Path("d.safetensors"), source={"name": name}))
        assert not Path("ran").exists()

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (None, "names no network"),
            ({}, "names no network"),
            ([1], "names no network"),
            ({"name": 7}, "names no network"),
            ({"name": "a\x1b[31m\nb"}, r"the name of its network is none: 'a\\\\x1b\[31m\\\\nb'"),
            ({"name": "x" * 100_000}, "the name of its network is none"),
            ({"name": ""}, "the name of its network is none"),
            ({"name": "resnet18", "model_args": {"checkpoint_path": "evil.pth"}}, "built with 'model_args', which a file does not"),
            ({"name": "resnet18", "checkpoint": "evil.pth"}, "built with 'checkpoint', which a file does not decide"),
            ({"name": "resnet18", "allow_pickle": True}, "built with 'allow_pickle', which a file does not decide"),
            ({"name": "demo:digits-v2", "input_size": [3, 9000, 9000]}, "decides on at most 1024 pixels a side"),
            ({"name": "demo:digits-v2", "input_size": [3, 32]}, "its network is out of reach|has|takes|can't"),
            ({"name": "demo:digits-v2", "input_size": "huge"}, "has input_size='huge', expected a whole number"),
            ({"name": "demo:digits-v2", "mean": [1e999]}, r"has mean=\[inf\], expected a list of numbers"),
            ({"name": "demo:digits-v2", "num_classes": 10**9}, "has 1000000000 classes and its head 8"),
            ({"name": "weights.pth", "arch": ["resnet18"]}, r"has arch=\['resnet18'\], expected a name"),
            ({"name": "torchvision:resnet18/../../x"}, "torchvision has no weights"),
            ({"name": "resnet18.no_such_tag"}, "timm has no weights"),
            ({"name": "ftp://example.org/x"}, "its scheme is none of"),
            ({"name": "local-dir:/no/such/folder"}, "expected a folder with config.json and weights"),
            ({"name": f"{'y' * 300}.safetensors"}, "its network"),
            ({"name": "demo:digits-v1"}, "the weights of demo:digits-v1 are others"),
        ],
    )
    def test_what_it_may_ask_for_is_little(self, demo, tmp_path, source, message):
        detector_of(demo).save(tmp_path / "d.safetensors")
        path = crafted(tmp_path / "d.safetensors", source=json.dumps(source))
        with pytest.raises(InputError, match=message) as caught:
            Detector.load(path)
        assert str(caught.value).isprintable()

    def test_only_what_load_classifier_needs_passes(self, tmp_path):
        source = {"name": "a.pth", "arch": "resnet18", "num_classes": 5, "input_size": [3, 224, 224], "mean": [0, 0, 0]}
        assert stored_source(source, 5, tmp_path / "d.safetensors") == source

    @pytest.mark.parametrize("kept", ["pytorch_model.bin", "model.safetensors"])
    def test_of_the_hub_it_takes_safetensors_alone(self, monkeypatch, tmp_path, kept):
        from huggingface_hub.errors import EntryNotFoundError

        def download(repository, file, revision=None):
            assert (repository, revision) == ("me/net", "v1")
            if file != kept:
                raise EntryNotFoundError("404")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        monkeypatch.setattr("timm.models.load_model_config_from_hf", lambda name: ({}, "resnet18", {}))
        monkeypatch.setattr("oodkit.models.reach.is_within_reach", lambda url: True)
        source = {"name": "hf-hub:me/net@v1"}
        if kept.endswith("bin"):
            with pytest.raises(CheckpointError, match=r"its network hf-hub:me/net@v1 has no model\.safetensors"):
                stored_source(source, 5, tmp_path / "d.safetensors")
        else:
            assert stored_source(source, 5, tmp_path / "d.safetensors") == source

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"alpha": 7.0}, "alpha, the share of ID images that may be rejected, lies above 0 and below 1, got 7.0"),
            ({"alpha": "0.05e"}, "lacks or spoils"),
            ({"alpha": None}, "lacks or spoils 'alpha'"),
            ({"alpha": "[" * 100_000}, "lacks or spoils"),
            ({"calibration_dtype": "int8"}, "lacks or spoils"),
            ({"calibration_dtype": '"int8"'}, "no dtype 'int8'"),
            ({"weights": 5}, "lacks or spoils weights, which is a int"),
            ({"preprocessing": [1]}, "lacks or spoils preprocessing, which is a list"),
            ({"classes": ["one"]}, "it names 1 classes, and its head has 8"),
            ({"scorer": "of-tomorrow"}, "unknown scorer: 'of-tomorrow'"),
            ({"scorer": "odin", "learnt": "null", "learnt_shape": "null", "settings": "{}"}, "has not learnt, or runs the network"),
            ({"learnt": "null", "learnt_shape": "null"}, "its scorer knn has not learnt"),
            ({"learnt_shape": [5, 8]}, r"its scorer learnt from \(5, 8\) features and classes, not from its head's"),
            ({"learnt": ["bank", "k", "none"]}, "its metadata is not as it must be: 'none'"),
            ({"settings": {"k": "many"}}, "knn:k takes a whole number or paper"),
        ],
    )
    def test_words_that_make_no_sense_are_one_line(self, demo, tmp_path, words, message):
        detector_of(demo).save(tmp_path / "d.safetensors")
        with pytest.raises(OutputsError, match=message) as caught:
            Detector.load(crafted(tmp_path / "d.safetensors", **words), model=demo[0])
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600

    @pytest.mark.parametrize(
        ("name", "spoilt", "message"),
        [
            ("head.weight", lambda one: one * torch.nan, "its head holds what is no finite number"),
            ("head.weight", lambda one: one.long(), "its head holds what is no finite number"),
            ("head.weight", lambda one: one[:, :3].clone(), "learnt from .* features and classes, not from its head's"),
            ("head.bias", lambda one: one.to(torch.float8_e4m3fn), "its head holds what is no finite number"),
            ("calibration.scores", lambda one: one.to(torch.complex64), "scores are an array of real numbers, got ndarray"),
            ("head.bias", lambda one: one[:2].clone(), r"a head needs weight \(C, D\) and bias \(C,\)"),
            ("calibration.scores", lambda one: one * torch.nan, "calibration scores are finite, got 289 of 289 that are not"),
            ("calibration.scores", lambda one: one[:0].clone(), r"the scores of at least one ID image, \(n,\), got \(0,\)"),
            ("calibration.scores", lambda one: one.bfloat16(), "lacks or spoils"),
            ("scorer.bank", lambda one: one * torch.nan, "what knn has learnt does not fit together: it holds NaN"),
            ("scorer.bank", lambda one: one[:, :3].clone(), "what knn has learnt does not fit together"),
            ("scorer.k", lambda one: one + 0.5j, "what knn has learnt does not fit together"),
            ("scorer.k", lambda one: torch.ones(2), "what knn has learnt does not fit together"),
        ],
    )
    def test_tensors_that_make_no_sense_are_one_line(self, demo, tmp_path, name, spoilt, message):
        detector_of(demo).save(tmp_path / "d.safetensors")
        tensors = load_file(tmp_path / "d.safetensors")
        with pytest.raises(OutputsError, match=message) as caught:
            Detector.load(crafted(tmp_path / "d.safetensors", {name: spoilt(tensors[name])}), model=demo[0])
        assert "\n" not in str(caught.value)
