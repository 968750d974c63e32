"""One forward pass an image: what comes out, what is skipped, and what ends the run; the cache has a file of its own."""

import os
import signal

import numpy as np
import pytest
import torch

from oodkit import extraction_plan
from oodkit.errors import ImageSetError, InputError, OodkitError, OutputsError, UsageError
from oodkit.extraction import extract
from oodkit.forward import resolve_device
from oodkit.images import open_images


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(extraction_plan, "SHARD_SIZE", 5)


def test_features_and_logits_are_the_networks_own(tiny_model, image_folder, tmp_path):
    images = open_images(str(image_folder()))
    outputs = extract(tiny_model, images, cache=tmp_path / "cache", batch_size=2)
    pixels = torch.stack([tiny_model.transform(images.load(i)) for i in range(len(images))])
    with torch.no_grad():
        torch.testing.assert_close(outputs.logits, tiny_model.net(pixels))
        torch.testing.assert_close(outputs.features, tiny_model.net.body(pixels.flatten(1)).relu())
    assert outputs.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert outputs.indices.tolist() == list(range(12))


def test_worker_processes_change_nothing(tiny_model, image_folder):
    images = open_images(str(image_folder()))
    alone = extract(tiny_model, images, cache=False, workers=0, batch_size=4)
    shared = extract(tiny_model, images, cache=False, workers=2, batch_size=4)
    assert torch.equal(alone.logits, shared.logits)


def test_an_unreadable_image_is_skipped_and_named(tiny_model, image_folder, tmp_path):
    root = image_folder()
    (root / "cat" / "1.png").write_bytes(b"no image")
    outputs = extract(tiny_model, open_images(str(root)), cache=tmp_path / "cache")
    assert outputs.indices.tolist() == [0, *range(2, 12)]
    assert outputs.labels.tolist() == [0] * 3 + [1] * 4 + [2] * 4
    assert [(one.index, one.name) for one in outputs.skipped] == [(1, "cat/1.png")]
    again = extract(tiny_model, open_images(str(root)), cache=tmp_path / "cache")
    assert again.skipped == outputs.skipped


def test_an_image_that_the_transform_refuses_is_skipped_with_the_reason(tiny_model, image_folder):
    def transform(image):
        if image.getpixel((0, 0)) == first:
            raise ValueError("height and width must be > 0")
        return original(image)

    images, original = open_images(str(image_folder())), tiny_model.transform
    first, tiny_model.transform = images.load(3).getpixel((0, 0)), transform
    outputs = extract(tiny_model, images, cache=False, workers=0)
    assert [(one.index, one.reason) for one in outputs.skipped] == [(3, "can't be transformed: height and width must be > 0")]


def test_a_transform_that_refuses_everything_is_an_error_and_not_a_set_of_broken_images(tiny_model, image_folder, tmp_path):
    def transform(_image):
        raise NameError("name 'np' is not defined")

    tiny_model.transform = transform
    with pytest.raises(InputError, match="a whole batch of images can't be transformed: name 'np' is not defined; look at"):
        extract(tiny_model, open_images(str(image_folder())), cache=tmp_path / "cache", workers=0)


def test_a_failing_disk_ends_the_run_and_is_not_remembered(tiny_model, image_folder, tmp_path):
    images = open_images(str(image_folder()))
    load, failing = images.load, [True]

    def sometimes(index):
        if index == 7 and failing:
            raise OodkitError("can't read an image: Input/output error")
        return load(index)

    images.load = sometimes
    with pytest.raises(OodkitError, match="Input/output error"):
        extract(tiny_model, images, cache=tmp_path / "cache", workers=0)
    failing.clear()
    assert len(extract(tiny_model, images, cache=tmp_path / "cache", workers=0)) == 12


def test_the_network_comes_back_as_it_was(tiny_model, image_folder):
    tiny_model.net.train()
    extract(tiny_model, open_images(str(image_folder())), cache=False)
    assert tiny_model.net.training
    assert all(parameter.is_contiguous() for parameter in tiny_model.net.parameters())


def test_labels_of_an_ood_set_are_not_looked_at(tiny_model, tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 99]))
    assert extract(tiny_model, open_images(str(tmp_path / "set.npz")), cache=False, labelled=False).labels.tolist() == [-1, -1]


def test_a_whole_shard_of_unreadable_images_leaves_the_others(tiny_model, image_folder, tmp_path):
    root = image_folder()
    for path in sorted(root.rglob("*.png"))[:5]:
        path.write_bytes(b"")
    outputs = extract(tiny_model, open_images(str(root)), cache=tmp_path / "cache")
    assert len(outputs) == 7
    assert len(outputs.skipped) == 5


def test_a_set_with_none_readable_is_an_error(tiny_model, image_folder, tmp_path):
    root = image_folder()
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(OutputsError, match=r"none of 12 images could be read; the first: cat/0\.png"):
        extract(tiny_model, open_images(str(root)), cache=tmp_path / "cache")


def test_classes_that_are_none_of_the_models_get_no_label(tiny_model, image_folder):
    root = image_folder(classes=("cat", "unicorn"))
    outputs = extract(tiny_model, open_images(str(root)), cache=False)
    assert outputs.labels.tolist() == [0] * 4 + [-1] * 4
    assert "unicorn" in outputs.notes[0]


def test_labels_beyond_the_models_classes_are_refused(tiny_model, tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 9]))
    with pytest.raises(ImageSetError, match="labels up to 9, the model has 3 classes"):
        extract(tiny_model, open_images(str(tmp_path / "set.npz")), cache=False)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stores_half_the_features_and_full_logits(tiny_model, image_folder, dtype):
    images = open_images(str(image_folder()))
    outputs = extract(tiny_model, images, cache=False, dtype=dtype)
    exact = extract(tiny_model, images, cache=False)
    assert outputs.features.dtype == getattr(torch, dtype)
    assert outputs.logits.dtype == torch.float32
    torch.testing.assert_close(outputs.logits, exact.logits, rtol=0.05, atol=0.05)
    torch.testing.assert_close(outputs.logits, tiny_model.head(outputs.features.float()))


def test_a_batch_that_does_not_fit_is_halved(tiny_model, image_folder):
    images = open_images(str(image_folder()))
    whole = extract(tiny_model, images, cache=False)

    def refuse_large(_net, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    tiny_model.net.register_forward_pre_hook(refuse_large)
    torch.testing.assert_close(extract(tiny_model, images, cache=False, batch_size=5).logits, whole.logits)


def test_one_image_that_does_not_fit_says_what_to_do(tiny_model, image_folder):
    def refuse(_net, _inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    tiny_model.net.register_forward_pre_hook(refuse)
    with pytest.raises(OodkitError, match="not even one image fits in the memory of cpu; use"):
        extract(tiny_model, open_images(str(image_folder())), cache=False)


def test_logits_that_are_not_finite_are_an_error(tiny_model, image_folder):
    with torch.no_grad():
        tiny_model.net.body.weight.fill_(float("inf"))
    with pytest.raises(OodkitError, match="not finite in float32; the weights may be damaged"):
        extract(tiny_model, open_images(str(image_folder())), cache=False)


def test_a_decoder_that_dies_is_one_clear_line(tiny_model, image_folder):
    tiny_model.transform = lambda _image: os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(OodkitError, match=r"a process that decodes images died, .* run again with fewer --workers"):
        extract(tiny_model, open_images(str(image_folder())), cache=False, workers=1, batch_size=4)


def test_progress_counts_every_image_also_the_unreadable(tiny_model, image_folder, tmp_path):
    root = image_folder()
    (root / "dog" / "1.png").write_bytes(b"no image")
    calls = []
    extract(tiny_model, open_images(str(root)), cache=tmp_path / "cache", batch_size=4, progress=lambda *call: calls.append(call))
    assert calls[0] == (0, 12, "")
    assert calls[-1] == (12, 12, "")
    assert calls == sorted(calls)


def test_unknown_devices_and_dtypes_are_usage_errors(tiny_model, image_folder):
    with pytest.raises(UsageError, match="no device 'tpu9'"):
        resolve_device("tpu9")
    with pytest.raises(UsageError, match="no dtype 'int8'; choose from auto"):
        extract(tiny_model, open_images(str(image_folder())), cache=False, dtype="int8")
