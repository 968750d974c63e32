"""What was extracted is cached by content, and an interrupted run is resumed to the same bits."""

import hashlib
import multiprocessing
import os
import signal

import pytest
import torch
from safetensors.torch import save_file

from oodkit import extraction_plan
from oodkit.cache import cache_entries
from oodkit.classifier import load_classifier
from oodkit.extraction import extract, extracted
from oodkit.extraction_plan import outputs_key
from oodkit.head import load_head
from oodkit.images import open_images


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(extraction_plan, "SHARD_SIZE", 5)


@pytest.fixture
def count_images(tiny_model):
    """How many images went through the network."""
    seen = []
    tiny_model.net.register_forward_pre_hook(lambda _net, inputs: seen.append(len(inputs[0])))
    return seen


def test_a_second_run_makes_no_forward_pass(tiny_model, image_folder, tmp_path, count_images):
    images = open_images(str(image_folder()))
    first = extract(tiny_model, images, cache=tmp_path / "cache")
    assert sum(count_images) == 12
    second = extract(tiny_model, images, cache=tmp_path / "cache")
    assert sum(count_images) == 12
    assert torch.equal(first.features, second.features)


def test_a_damaged_shard_alone_is_made_again(tiny_model, image_folder, tmp_path, count_images):
    images = open_images(str(image_folder()))
    first = extract(tiny_model, images, cache=tmp_path / "cache").logits.clone()
    folder = tmp_path / "cache" / outputs_key(tiny_model, images)
    (folder / "00001.safetensors").write_bytes(b"not a shard")
    again = extract(tiny_model, images, cache=tmp_path / "cache")
    assert sum(count_images) == 12 + 5
    assert torch.equal(first, again.logits)


def _extract_and_die(model, images, cache, after):
    """Extract, but kill this very process once ``after`` images are done: no handler runs, nothing is flushed."""

    def progress(done, _total, _what):
        if done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    extract(model, images, cache=cache, workers=0, batch_size=2, progress=progress)


@pytest.mark.parametrize(("after", "lost"), [(2, 12), (5, 12), (7, 7), (11, 2)])
def test_a_killed_run_loses_at_most_one_shard_and_ends_in_the_same_bits(
    tiny_model, image_folder, tmp_path, count_images, after, lost
):
    """Shards of 5, batches of 2: the images of the finished shards are not read again, all others are."""
    images = open_images(str(image_folder()))
    whole = extract(tiny_model, images, cache=False, workers=0, batch_size=2)
    seen = sum(count_images)
    victim = multiprocessing.get_context("fork").Process(
        target=_extract_and_die, args=(tiny_model, images, tmp_path / "cache", after)
    )
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    outputs = extract(tiny_model, images, cache=tmp_path / "cache", workers=0)
    remade = sum(count_images) - seen
    assert remade == lost
    assert torch.equal(outputs.logits, whole.logits)
    assert torch.equal(outputs.features, whole.features)


def test_two_processes_on_one_cache_do_not_harm_each_other(tiny_model, image_folder, tmp_path):
    images = open_images(str(image_folder()))
    context = multiprocessing.get_context("fork")
    both = [
        context.Process(target=extract, args=(tiny_model, images), kwargs={"cache": tmp_path / "cache", "workers": 0})
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    assert torch.equal(
        extract(tiny_model, images, cache=tmp_path / "cache").logits, extract(tiny_model, images, cache=False).logits
    )
    assert [path.name for path in tmp_path.glob("cache/*/.*")] == []


def test_the_key_follows_weights_transform_dtype_and_images_but_no_name(tiny_model, image_folder):
    root = image_folder()
    images = open_images(str(root))
    key = outputs_key(tiny_model, images)
    tiny_model.name = "another name"
    assert outputs_key(tiny_model, images) == key
    assert outputs_key(tiny_model, images, "float16") != key
    tiny_model.preprocessing = {"input_size": [3, 16, 16]}
    assert outputs_key(tiny_model, images) != key
    tiny_model.preprocessing = {"input_size": [3, 8, 8]}
    (root / "cat" / "0.png").unlink()
    assert outputs_key(tiny_model, open_images(str(root))) != key
    with torch.no_grad():
        tiny_model.net.body.weight[0, 0] += 1e-6
    assert outputs_key(tiny_model, images) != key


def test_the_key_follows_the_code_of_a_transform_and_not_its_address(tiny_model, image_folder):
    images, original = open_images(str(image_folder())), tiny_model.transform
    keys = []
    for transform in (lambda image: original(image).relu(), lambda image: original(image).tanh()):
        transform.__qualname__ = "transform"
        tiny_model.transform = transform
        keys.append(outputs_key(tiny_model, images))
    assert keys[0] != keys[1]


def test_the_key_follows_the_code_of_the_network(tmp_path, image_folder, monkeypatch):
    """Same weights, same layers, another forward: what was extracted before must not be served."""
    source = (
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = torch.nn.Linear(3, 3)\n    def forward(self, x):\n        return self.fc(x.mean((2, 3)).{}())\n"
        "def net():\n    torch.manual_seed(0)\n    return Net()\n"
    )
    images, keys = open_images(str(image_folder())), []
    for function in ("relu", "tanh"):
        (tmp_path / "net.py").write_text(source.format(function))
        keys.append(outputs_key(load_classifier(f"py:{tmp_path / 'net.py'}:net", input_size=8), images))
    assert keys[0] != keys[1]


def test_the_fingerprint_is_computed_once_until_a_weight_changes(tiny_model, monkeypatch):
    first = tiny_model.fingerprint()
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "blake2b", lambda *_, **__: pytest.fail("hashed again"))
        assert tiny_model.fingerprint() == first
    with torch.no_grad():
        tiny_model.net.body.weight[0, 0] += 1e-6
    assert tiny_model.fingerprint() != first


def test_a_damaged_head_in_the_cache_is_written_again(tiny_model, image_folder, tmp_path):
    images = open_images(str(image_folder()))
    first = extract(tiny_model, images, cache=tmp_path / "cache").logits.clone()
    (tmp_path / "cache" / outputs_key(tiny_model, images) / "head.safetensors").write_bytes(b"no head")
    again = extract(tiny_model, images, cache=tmp_path / "cache")
    assert torch.equal(again.logits, first)
    assert again.head is not None


def test_a_head_of_the_older_format_in_the_cache_is_written_anew_and_no_image_forwarded(
    tiny_model, image_folder, tmp_path, count_images
):
    images, cache = open_images(str(image_folder())), tmp_path / "cache"
    first = extract(tiny_model, images, cache=cache).logits.clone()
    path = cache / outputs_key(tiny_model, images) / "head.safetensors"
    older = {"format": "oodkit-head-1", "layers": '["head"]', "shared": "false"}
    save_file({"weight": tiny_model.head.weight, "bias": tiny_model.head.bias}, path, older)
    whole = extracted(tiny_model, images, cache=cache)
    assert whole is not None
    assert torch.equal(whole.logits, first)
    done = len(count_images)
    assert torch.equal(extract(tiny_model, images, cache=cache).logits, first)
    assert len(count_images) == done
    assert load_head(path)[1]["format"] == "oodkit-head-2"


def test_the_cache_lists_what_it_holds(tiny_model, image_folder, tmp_path):
    extract(tiny_model, open_images(str(image_folder())), cache=tmp_path / "cache")
    (entry,) = cache_entries(tmp_path / "cache")
    assert (entry.about("model"), entry.missing, entry.manifest.count) == ("tiny", 0, 12)


def test_what_the_cache_holds_whole_comes_without_a_forward_pass(tiny_model, image_folder, tmp_path, count_images):
    """The same outputs, labels, notes and skipped images as the extraction gave; None before it, and where a shard is missing."""
    images, cache = open_images(str(image_folder())), tmp_path / "cache"
    (images.root / images.path(3)).write_bytes(b"no image")
    assert extracted(tiny_model, images, cache=cache) is None
    made = extract(tiny_model, images, cache=cache)
    seen = sum(count_images)
    found = extracted(tiny_model, images, cache=cache)
    assert found is not None
    for name in ("features", "logits", "labels", "indices"):
        assert torch.equal(getattr(found, name), getattr(made, name))
    assert (found.notes, found.skipped) == (made.notes, made.skipped)
    assert len(found.skipped) == 1
    assert torch.equal(found.head.weight, made.head.weight)
    assert extracted(tiny_model, images, cache=cache, labelled=False).labels.unique().tolist() == [-1]
    assert extracted(tiny_model, images, cache=cache, dtype="float16") is None
    assert extracted(tiny_model, images, cache=False) is None
    (cache / outputs_key(tiny_model, images) / "00001.safetensors").unlink()
    assert extracted(tiny_model, images, cache=cache) is None
    assert sum(count_images) == seen


def test_a_damaged_shard_is_no_part_of_what_the_cache_holds(tiny_model, image_folder, tmp_path):
    images, cache = open_images(str(image_folder())), tmp_path / "cache"
    extract(tiny_model, images, cache=cache)
    shard = cache / outputs_key(tiny_model, images) / "00000.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert extracted(tiny_model, images, cache=cache) is None
