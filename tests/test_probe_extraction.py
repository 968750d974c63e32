"""What a probe finds is cached by itself, resumable, and stands beside the features of the same images."""

import multiprocessing
import os
import signal

import pytest
import torch

from oodkit import extraction as extract_module
from oodkit import extraction_plan
from oodkit.cache import cache_entries
from oodkit.errors import OodkitError, OutputsError, UnsupportedModelError, UsageError
from oodkit.extraction import extract
from oodkit.extraction_plan import outputs_key
from oodkit.images import open_images
from oodkit.probes import parse_probe
from oodkit.scorers import make_scorer
from oodkit.shards import COLUMNS, Manifest, write_manifest

ODIN = "odin:temperature=1000.0,noise=0.0014"
ADASCALE = "adascale:share=0.05,step=0.5"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(extraction_plan, "SHARD_SIZE", 5)


@pytest.fixture
def model(tiny_model):
    tiny_model.preprocessing = {"input_size": [3, 8, 8], "std": [0.5, 0.25, 0.2]}
    return tiny_model


@pytest.fixture
def seen(model):
    """How many images went through the network."""
    counts = []
    model.net.register_forward_pre_hook(lambda _net, inputs: counts.append(len(inputs[0])))
    return counts


@pytest.fixture
def images(image_folder):
    return open_images(str(image_folder()))


def test_the_tensor_is_what_the_probe_finds_on_each_image(model, images):
    outputs = extract(model, images, cache=False, probes=["odin", "adascale"], batch_size=5)
    pixels = torch.stack([model.transform(images.load(i)) for i in range(len(images))])
    model.net.requires_grad_(False)
    for spec in (ODIN, ADASCALE):
        torch.testing.assert_close(outputs.extra(spec), parse_probe(spec).run(model, pixels))
    assert make_scorer("odin").score(outputs).shape == (12,)
    assert outputs.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_a_spec_however_it_is_spelled_is_one_probe_under_its_whole_spec(model, images, tmp_path):
    for spec in ("odin", "odin:noise=0.0014", ODIN):
        assert outputs_key(model, images, probe=spec) == outputs_key(model, images, probe=ODIN)
        extract(model, images, cache=tmp_path, probes=[spec, "odin"]).extra(ODIN)
    assert len(cache_entries(tmp_path)) == 2
    assert outputs_key(model, images, probe="odin:noise=0.0028") != outputs_key(model, images, probe=ODIN)


def test_a_probe_that_was_mended_does_not_serve_what_it_found_before(model, images, monkeypatch):
    keys = [outputs_key(model, images, probe="odin"), outputs_key(model, images)]
    monkeypatch.setattr(type(parse_probe("odin")), "version", 2)
    assert outputs_key(model, images, probe="odin") != keys[0]
    assert outputs_key(model, images) == keys[1]


def test_a_run_that_began_on_a_gpu_goes_on_in_batches_that_this_device_has_room_for(model, images, tmp_path, seen, monkeypatch):
    """A probe with gradients takes several times the memory; without them, or where it was asked for, the size stays."""
    for spec in ("odin", None):
        key = outputs_key(model, images, probe=spec)
        columns = COLUMNS if spec is None else (ODIN, "indices")
        write_manifest(tmp_path / key, Manifest(key, len(images), 5, 5, columns=columns))
    monkeypatch.setattr(extraction_plan, "default_batch_size", lambda _model, _device, probe: 2 if probe else 5)
    extract(model, images, cache=tmp_path, probes=["odin"])
    tried = [1, 1]
    assert seen == [*tried, 5, 5, 2, *[2] * 4, *[1] * 2, *[2] * 4, *[1] * 2, 2, 2], "two passes a piece"
    del seen[:]
    extract(model, images, cache=tmp_path / "asked", probes=["odin"], batch_size=5)
    assert seen == [*tried, 5, 5, 2, 5, 5, 5, 5, 2, 2]


def test_features_that_are_cached_are_not_computed_again(model, images, tmp_path, seen):
    extract(model, images, cache=tmp_path)
    assert sum(seen) == 12
    extract(model, images, cache=tmp_path, probes=["odin"])
    tried = 2
    assert sum(seen) == 12 + tried + 2 * 12, "one image to see whether it can, then each image twice"
    extract(model, images, cache=tmp_path, probes=["odin"])
    assert sum(seen) == 12 + tried + 2 * 12
    extract(model, images, cache=tmp_path, probes=["odin", "odin:noise=0.0028"])
    assert sum(seen) == 12 + 2 * (tried + 2 * 12)


def test_a_damaged_shard_of_a_probe_alone_is_made_again(model, images, tmp_path, seen):
    first = extract(model, images, cache=tmp_path, probes=["odin"]).extra(ODIN).clone()
    before = sum(seen)
    (tmp_path / outputs_key(model, images, probe=ODIN) / "00001.safetensors").write_bytes(b"not a shard")
    again = extract(model, images, cache=tmp_path, probes=["odin"])
    assert sum(seen) - before == 2 + 2 * 5
    assert torch.equal(again.extra(ODIN), first)


def _probe_and_die(model, images, cache, after):
    def progress(done, _total, what):
        if what == "odin" and done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    extract(model, images, cache=cache, workers=0, batch_size=2, probes=["odin"], progress=progress)


@pytest.mark.parametrize(("after", "lost"), [(2, 12), (7, 7), (11, 2)])
def test_a_killed_run_loses_at_most_one_shard_and_ends_in_the_same_bits(model, images, tmp_path, seen, after, lost):
    """Shards of 5, batches of 2: of the probe's images only those of unfinished shards run again, of the forward pass none."""
    whole = extract(model, images, cache=False, workers=0, batch_size=2, probes=["odin"])
    before = sum(seen)
    victim = multiprocessing.get_context("fork").Process(target=_probe_and_die, args=(model, images, tmp_path, after))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    outputs = extract(model, images, cache=tmp_path, workers=0, probes=["odin"])
    assert sum(seen) - before == 2 + 2 * lost
    assert torch.equal(outputs.extra(ODIN), whole.extra(ODIN))
    assert torch.equal(outputs.features, whole.features)


def test_progress_names_the_probe_and_counts_from_0_again(model, images, tmp_path):
    calls = []
    extract(model, images, cache=tmp_path, probes=["odin", "adascale"], progress=lambda *call: calls.append(call))
    for what in ("", "odin", "adascale"):
        counts = [done for done, total, own in calls if own == what and total == 12]
        assert counts == sorted(counts)
        assert (counts[0], counts[-1]) == (0, 12)
    assert [what for *_, what in calls] == sorted((what for *_, what in calls), key=["", "odin", "adascale"].index)


def test_unreadable_images_are_skipped_by_both_also_a_whole_shard_of_them(model, image_folder, tmp_path):
    root = image_folder()
    broken = sorted(root.rglob("*.png"))[:6]
    for path in broken:
        path.write_bytes(b"no image")
    outputs = extract(model, open_images(str(root)), cache=tmp_path / "cache", probes=["odin", "adascale"])
    assert outputs.indices.tolist() == list(range(6, 12))
    assert len(outputs.skipped) == 6
    assert outputs.extra(ODIN).shape == (6, 3)
    assert outputs.extra(ADASCALE).shape == (6, 6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_precision_logits_stay_in_float32_and_features_do_not(model, images, dtype):
    outputs = extract(model, images, cache=False, dtype=dtype, probes=["odin", "adascale"])
    exact = extract(model, images, cache=False, probes=["odin", "adascale"])
    assert outputs.extra(ODIN).dtype == torch.float32
    assert outputs.extra(ADASCALE).dtype == outputs.features.dtype == getattr(torch, dtype)
    for spec in (ODIN, ADASCALE):
        torch.testing.assert_close(outputs.extra(spec).float(), exact.extra(spec), rtol=0.05, atol=0.05)


def test_the_network_comes_back_as_it_was(model, images):
    model.net.train()
    model.net.body.bias.requires_grad_(False)
    extract(model, images, cache=False, probes=["odin"])
    assert model.net.training
    learning = [name for name, weight in model.net.named_parameters() if weight.requires_grad]
    assert learning == ["body.weight", "head.weight", "head.bias"]
    assert all(weight.grad is None and weight.is_contiguous() for weight in model.net.parameters())


def test_the_network_comes_back_as_it_was_from_a_probe_that_fails(model, images, monkeypatch):
    probe = type(parse_probe("odin"))
    monkeypatch.setattr(extract_module, "obstacle", lambda *_: None)
    monkeypatch.setattr(probe, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        extract(model, images, cache=False, probes=["odin"])
    assert all(weight.requires_grad for weight in model.net.parameters())


def test_a_batch_that_does_not_fit_is_halved(model, images):
    whole = extract(model, images, cache=False, probes=["odin"]).extra(ODIN)

    def refuse_large(_net, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.net.register_forward_pre_hook(refuse_large)
    torch.testing.assert_close(extract(model, images, cache=False, batch_size=5, probes=["odin"]).extra(ODIN), whole)


def test_values_that_are_not_finite_are_an_error_that_names_the_probe(model, images, monkeypatch):
    monkeypatch.setattr(extract_module, "obstacle", lambda *_: None)
    monkeypatch.setattr(
        type(parse_probe("odin")), "run", lambda _self, _model, pixels: pixels.new_full((len(pixels), 3), torch.inf)
    )
    with pytest.raises(OodkitError, match="the probe odin gives values that are not finite in float32"):
        extract(model, images, cache=False, probes=["odin"])


def test_a_probe_that_the_network_rules_out_stops_before_anything_runs(tiny_model, images, tmp_path):
    with pytest.raises(UnsupportedModelError, match="the probe odin can't run on tiny: its preprocessing names no std"):
        extract(tiny_model, images, cache=tmp_path, probes=["odin"])
    assert cache_entries(tmp_path) == []


def test_an_unknown_probe_stops_before_anything_runs(model, images, tmp_path, seen):
    with pytest.raises(UsageError, match="unknown probe: 'mds'"):
        extract(model, images, cache=tmp_path, probes=["mds"])
    assert not seen


def test_without_the_probe_the_outputs_say_so(model, images):
    with pytest.raises(OutputsError, match=r"hold no 'odin'.*: that probe did not run"):
        extract(model, images, cache=False).extra("odin")


def test_one_image_alone_is_found_as_in_a_batch(model, image_folder, tmp_path):
    root = image_folder("one", classes=("cat",), each=1)
    alone = extract(model, open_images(str(root)), cache=False, probes=["odin"])
    assert alone.extra(ODIN).shape == (1, 3)


def test_the_default_batch_keeps_memory_for_gradients_on_a_cpu_and_is_never_empty(model):
    def size(probe, device="cpu"):
        return extraction_plan.default_batch_size(model, torch.device(device), probe and parse_probe(probe))

    model.input_size = (3, 224, 224)
    assert [size(None), size("odin"), size("odin", "cuda"), size("rankfeat")] == [64, 8, 64, 64]
    model.input_size = (3, 1024, 1024)
    assert [size(None), size("odin")] == [3, 1]
    model.input_size = (3, 4096, 4096)
    assert [size(None), size("odin")] == [1, 1]


def test_the_cache_tells_a_probes_entry_from_the_features(model, images, tmp_path):
    extract(model, images, cache=tmp_path, probes=["odin"])
    by_probe = {entry.about("probe"): entry for entry in cache_entries(tmp_path)}
    assert set(by_probe) == {"?", ODIN}
    assert [(one.about("model"), one.missing, one.manifest.count) for one in by_probe.values()] == [("tiny", 0, 12)] * 2
