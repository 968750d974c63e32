"""What many tests need: a tiny network whose every number is known, and folders of images."""

import multiprocessing

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import oodkit
from oodkit.classifier import Classifier
from oodkit.head import Head

from .hub_stand_in import HubStandIn


def pytest_configure():
    """Workers are forked on Python 3.14 too: one that starts afresh can't import tests. The tests of such use the package alone.

    The first gradient decides whether autograd starts threads, which a forked process can't use; after torch.export it does.
    """
    if "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)
    torch.ones((), requires_grad=True).backward()


class TinyNet(nn.Module):
    """8 × 8 RGB → 6 features (ReLU of a linear map) → 3 classes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.body = nn.Linear(192, 6)
        self.head = nn.Linear(6, 3)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.2, generator=generator)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.body(pixels.flatten(1)).relu())


def tiny_transform(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.resize((8, 8)), dtype=np.float32)).permute(2, 0, 1) / 255 - 0.5


@pytest.fixture
def tiny_model() -> Classifier:
    net = TinyNet().eval()
    head = Head(net.head.weight.detach(), net.head.bias.detach(), ("head",))
    names = ("cat", "dog", "fox")
    return Classifier("tiny", net, tiny_transform, head, (3, 8, 8), {"input_size": [3, 8, 8]}, class_names=names)


@pytest.fixture
def image_folder(tmp_path):
    """Make a folder of class folders of random 8 × 8 PNG files; returns its path."""

    def make(name: str = "images", classes: tuple[str, ...] = ("cat", "dog", "fox"), each: int = 4, seed: int = 0):
        rng = np.random.default_rng(seed)
        root = tmp_path / name
        for one in classes:
            (root / one).mkdir(parents=True)
            for i in range(each):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(root / one / f"{i}.png")
        return root

    return make


@pytest.fixture
def hub(monkeypatch):
    """A stand-in of the Hub, with a token that it takes."""
    from huggingface_hub import constants

    stand_in = HubStandIn()
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    monkeypatch.setattr(constants, "ENDPOINT", stand_in.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # whose store is more than a stand-in can be
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="session")
def demo():
    """Model and outputs of the demo: train, val and what it never saw."""
    model = oodkit.load_classifier("demo:digits-v2")
    sets = {"train": "demo:digits:train", "val": "demo:digits:val", "unseen": "demo:digits-unseen"}
    images = {name: oodkit.open_images(spec) for name, spec in sets.items()}
    outputs = {name: oodkit.extract(model, one, cache=False, workers=0) for name, one in images.items()}
    return model, images, outputs
