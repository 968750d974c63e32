"""A detector gives what extraction, scorer and calibration give, as one module."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

import oodkit
from oodkit.calibration import Calibration
from oodkit.detector import Detector
from oodkit.errors import (
    NotApplicableError,
    NotFittedError,
    UnreadableImageError,
    UsageError,
)
from oodkit.head import Head
from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.scorers import make_scorer

from .detectors import crafted, detector_of, pixels, same, tiny_detector


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
