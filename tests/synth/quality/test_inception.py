"""The Inception network of torch-fidelity as a classifier; its weights are random, as nothing is downloaded."""

import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.classifier import Classifier
from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.forward import Runner
from oodkit.synth import weights_at
from oodkit.synth.quality.inception import FILES, load_inception

WHY = "the extra fid is not installed: pip install 'oodkit[fid]'"


@pytest.fixture(scope="module")
def fidelity():
    return pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason=WHY)


@pytest.fixture(scope="module")
def weights(fidelity, tmp_path_factory):
    """A file of torch-fidelity's layout with random weights."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("inception") / FILES[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda self, _: None)
        net = fidelity.FeatureExtractorInceptionV3("inception", ["2048"])
    for name, tensor in net.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(std=0.1)
    torch.save(net.state_dict(), file)
    return file


def test_features_and_logits_are_those_of_torch_fidelity(fidelity, weights):
    """With its own resizing, of an image that is enlarged and one that is reduced; the head's input is what it calls 2048."""
    model = load_inception(weights)
    assert isinstance(model, Classifier)
    its = fidelity.FeatureExtractorInceptionV3("inception", ["2048", "logits"], feature_extractor_weights_path=str(weights))
    runner = Runner(model, torch.device("cpu"), torch.float32, 2)
    for side in (32, 320):
        pixels = np.random.default_rng(side).integers(0, 256, (side, side + 5, 3), dtype=np.uint8)
        features, logits = its(torch.from_numpy(pixels).permute(2, 0, 1)[None])
        found = runner.run(model.transform(Image.fromarray(pixels))[None])
        torch.testing.assert_close(found["features"], features, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found["logits"], logits, rtol=1e-4, atol=1e-4)


def test_it_is_found_where_torch_fidelity_put_it(fidelity, weights, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / FILES[1]).symlink_to(weights)
    about = load_inception().about
    assert (about["source"], about["license"]) == (FILES[1], "Apache-2.0")


def test_out_of_reach_is_one_line_that_says_what_to_do(fidelity, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(weights_at.urllib.request, "urlopen", refuse)
    with pytest.raises(ModelNotFoundError, match=r"no route; download it elsewhere and give --extractor inception:PATH/weights-"):
        load_inception()


def test_a_file_of_other_weights_is_one_line(fidelity, tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "mine.pth")
    with pytest.raises(
        CheckpointError, match=r"mine\.pth holds other weights than Inception's of torch-fidelity; give weights-inception-2015"
    ):
        load_inception(tmp_path / "mine.pth")


def test_code_in_a_weight_file_is_not_run(fidelity, tmp_path):
    """torch-fidelity would unpickle it."""
    (tmp_path / "mine.pth").write_bytes(pickle.dumps(print, protocol=2))
    with pytest.raises(CheckpointError, match="needs more than weights"):
        load_inception(tmp_path / "mine.pth")


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UsageError, match=r"needs the package torch-fidelity: pip install 'oodkit\[fid\]'"):
        load_inception()
