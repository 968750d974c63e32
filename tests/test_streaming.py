"""A detector on a stream: the rows that extraction would lead to, in order, as they come, and nothing kept of what is done."""

import os
import tracemalloc
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.calibration import Calibration
from oodkit.detector import Detections, Detector
from oodkit.errors import OodkitError, UsageError
from oodkit.extraction import extract
from oodkit.images import open_images
from oodkit.images.stream import open_stream
from oodkit.scorers import make_scorer
from oodkit.streaming import Row, score_stream


@pytest.fixture
def detector(tiny_model):
    """Of the maximal logit; its threshold lies amid the scores of random images."""
    return Detector(tiny_model, make_scorer("mls"), Calibration(np.linspace(-1, 2, 39), 0.4))


@pytest.fixture
def paths(image_folder):
    return sorted(image_folder().rglob("*.png"))


def scored(detector, images, **options):
    return list(score_stream(detector, images, **{"device": "cpu", "workers": 0, **options}))


def alike(rows, others):
    """The same but for rounding: matrix products of batches of other sizes differ in the last bits."""
    for row, other in zip(rows, others, strict=True):
        assert row._replace(score=None) == other._replace(score=None)
        assert row.score == (None if other.score is None else pytest.approx(other.score, rel=1e-5))
    return True


def test_rows_are_what_extraction_scorer_and_calibration_give(detector, image_folder):
    images = open_images(image_folder(each=10))
    outputs = extract(detector.model, images, cache=False, workers=0, device="cpu", batch_size=4)
    scores = detector.scorer.score(outputs).numpy()
    rows = scored(detector, open_stream([str(images.spec)]), batch_size=4)
    assert [row.path for row in rows] == [str(images.source(index)) for index in range(30)]
    np.testing.assert_allclose([row.score for row in rows], scores, rtol=1e-5)
    assert [row.prediction for row in rows] == outputs.logits.argmax(1).tolist()
    assert {(row.prediction, row.class_name) for row in rows} <= {(0, "cat"), (1, "dog"), (2, "fox")}
    own = [row.score for row in rows]
    assert [row.p_value for row in rows] == detector.calibration.p_values(own).tolist()
    assert [row.accepted for row in rows] == detector.calibration.accepts(own).tolist()
    assert {row.accepted for row in rows} == {True, False}
    assert all(row.reason is None for row in rows)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 5, "workers": 2}, {"batch_size": 100, "workers": 3}])
def test_the_order_is_that_of_the_images_with_any_batch_and_any_workers(detector, paths, tmp_path, options):
    """The unreadable ones in their places too, and the same file twice."""
    mixture = [*paths[:3], tmp_path / "gone.png", *paths[3:], paths[0], tmp_path / "gone.png"]
    rows = scored(detector, mixture, **options)
    assert [row.path for row in rows] == list(map(str, mixture))
    assert alike(rows, scored(detector, mixture, batch_size=4))
    assert rows[3] == Row(str(tmp_path / "gone.png"), reason="No such file or directory")


def test_without_workers_a_batch_is_scored_before_the_next_is_asked_for(detector, paths):
    asked = []
    rows = score_stream(detector, (asked.append(path) or path for path in paths), batch_size=3, workers=0, device="cpu")
    assert asked == []
    for row in islice(rows, 3):
        assert row.path in map(str, asked)
        assert len(asked) == 3
    next(rows)
    assert len(asked) == 6
    rows.close()


def test_workers_take_no_more_than_a_few_batches_ahead(detector, paths):
    """Two each are in the hands of a worker, two more wait; a source without end must not be drained."""

    def endless():
        while True:
            asked.append(1)
            yield paths[0]

    asked = []
    rows = score_stream(detector, endless(), batch_size=2, workers=2, device="cpu")
    assert next(rows).accepted is not None
    assert len(asked) <= 2 * 2 * (4 + 1)
    rows.close()


def test_what_is_read_ahead_is_counted_in_images(detector, paths):
    """Of 300 images a batch, one for each of two workers and the one that is being scored, not four for each."""

    def endless():
        while True:
            asked.append(1)
            yield paths[0]

    for options, most in (({"batch_size": 300, "workers": 2}, 900), ({"workers": 0}, 128)):
        asked = []
        rows = score_stream(detector, endless(), device="cpu", **options)
        next(rows)
        assert len(asked) == most
        rows.close()


def test_nothing_is_kept_of_images_that_are_done(detector):
    """4,000 paths of 4 kB each: 16 MB if they were held."""
    rows = score_stream(detector, (f"{number:04d}" * 1000 for number in range(4000)), batch_size=16, workers=0, device="cpu")
    next(rows)
    tracemalloc.start()
    assert sum(1 for row in rows if row.reason == "File name too long") == 3999
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_the_network_comes_back_as_it_was_even_when_nobody_reads_on(detector, paths):
    net = detector.model.net
    net.train()
    net.body.weight.requires_grad_(True)
    rows = score_stream(detector, paths, batch_size=2, workers=0, device="cpu")
    next(rows)
    assert not net.training
    rows.close()
    assert net.training
    assert net.body.weight.requires_grad


def test_a_batch_that_does_not_fit_is_halved_and_goes_on(detector, paths):
    sizes = []

    def fit(_net, inputs):
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    expected = scored(detector, paths, batch_size=12)
    detector.model.net.register_forward_pre_hook(fit)
    assert alike(scored(detector, paths, batch_size=12), expected)
    assert sizes == [12, 6, 3, 3, 3, 3]


def test_half_precision_is_that_of_extraction(detector, image_folder):
    folder = image_folder()
    outputs = extract(detector.model, open_images(folder), cache=False, workers=0, device="cpu", dtype="bfloat16", batch_size=12)
    rows = scored(detector, open_stream([str(folder)]), dtype="bfloat16", batch_size=12)
    assert [row.score for row in rows] == detector.scorer.score(outputs).tolist()
    assert [row.score for row in rows] != [row.score for row in scored(detector, open_stream([str(folder)]), batch_size=12)]


def test_images_of_every_mode_and_every_defect_are_rows(detector, tmp_path):
    rng = np.random.default_rng(0)
    grey16 = rng.integers(0, 65536, (8, 8), dtype=np.uint16)
    whole = {
        mode: Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).convert(mode)
        for mode in ("RGB", "L", "1", "P", "RGBA", "LA")
    }
    whole |= {"CMYK": whole["RGB"].convert("CMYK"), "I;16": Image.fromarray(grey16)}
    for mode, image in whole.items():
        image.save(tmp_path / f"{mode.replace(';', '_')}.{'jpg' if mode == 'CMYK' else 'png'}")
    palette = Image.new("P", (8, 8))
    palette.save(tmp_path / "transparent.gif", transparency=0)
    Image.fromarray(rng.random((8, 8), dtype=np.float32)).save(tmp_path / "float.tif")
    data = (tmp_path / "RGB.png").read_bytes()
    (tmp_path / "truncated.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no image")
    rows = {os.path.basename(row.path): row for row in scored(detector, open_stream([str(tmp_path)]))}  # noqa: PTH119
    assert len(rows) == len(whole) + 2 + 3
    unreadable = {name: row.reason for name, row in rows.items() if row.accepted is None}
    assert unreadable.pop("truncated.png").startswith(("image file is truncated", "unrecognized data stream"))
    assert unreadable == {"empty.png": "an empty file", "text.jpg": "not an image of a format that Pillow decodes"}
    assert all(np.isfinite(row.score) and 0 < row.p_value <= 1 for name, row in rows.items() if row.accepted is not None)


def test_what_the_transform_refuses_is_a_row_and_a_whole_batch_of_it_too(detector, paths):
    def refuse(image):
        raise ValueError("too\nsmall")

    whole = detector.transform
    detector.transform = refuse
    assert {row.reason for row in scored(detector, paths)} == {"can't be transformed: too small"}
    detector.transform = lambda image: whole(image) if image.size[0] > 3 else refuse(image)
    assert all(row.accepted is not None for row in scored(detector, paths))


def test_a_score_that_is_no_number_is_a_row_with_the_reason(detector, paths, monkeypatch):
    nan = torch.tensor([torch.nan, 1.0])
    monkeypatch.setattr(detector, "detections", lambda _features, logits: Detections(logits, nan, nan, torch.tensor([False, True])))
    odd, sound = scored(detector, paths[:2])
    assert (odd.score, odd.p_value, odd.accepted, odd.reason) == (None, None, False, "its score is no finite number")
    assert (sound.score, sound.accepted, sound.reason) == (1.0, True, None)


@pytest.fixture
def overflowing(detector, tmp_path):
    """A white image's first feature is 96,000, beyond float16; a noisy one's is some thousands. Paths of both kinds."""
    with torch.no_grad():
        detector.model.net.body.weight[0] = 1000
    Image.new("RGB", (8, 8), "white").save(tmp_path / "white.png")
    return detector, tmp_path / "white.png"


def test_one_image_that_overflows_is_a_row_and_the_others_go_on(overflowing, paths):
    detector, white = overflowing
    mixture = [*paths[:3], white, *paths[3:], white, white]
    rows = scored(detector, mixture, batch_size=2, dtype="float16")
    odd = Row(str(white), accepted=False, reason="its logits are not finite in float16")
    assert [row for row in rows if row.path == str(white)] == [odd, odd, odd]
    sound = [row for row in rows if row.path != str(white)]
    assert [row.path for row in sound] == list(map(str, paths))
    assert all(row.reason is None and np.isfinite(row.score) for row in sound)
    assert scored(detector, [white], dtype="float16") == [odd]
    assert scored(detector, [white])[0].reason is None


def test_a_network_that_gives_nothing_finite_ends_the_run(overflowing, paths):
    detector, white = overflowing
    with pytest.raises(OodkitError, match="logits that are not finite in float16; use --dtype float32 or bfloat16"):
        scored(detector, [white, white, *paths], batch_size=2, dtype="float16")
    with torch.no_grad():
        detector.model.net.body.weight.fill_(torch.nan)
    with pytest.raises(OodkitError, match="logits that are not finite in float32; the weights may be damaged"):
        scored(detector, paths)


def test_no_such_device_or_precision(detector, paths):
    with pytest.raises(UsageError, match="no device 'tpu9'"):
        scored(detector, paths, device="tpu9")
    with pytest.raises(UsageError, match="no dtype 'int8'"):
        scored(detector, paths, dtype="int8")


def test_a_model_that_names_no_classes_has_numbers(detector, paths):
    detector.model.class_names = None
    assert {(type(row.prediction), row.class_name) for row in scored(detector, paths)} == {(int, None)}


def test_no_images_no_rows(detector):
    assert scored(detector, []) == []
    assert scored(detector, [], workers=2) == []
