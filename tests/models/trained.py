"""A network to save, and what holds of it once it is loaded."""

import json

import timm
import torch
from PIL import Image
from torch import nn

from oodkit.classifier import Classifier

PICTURE = Image.radial_gradient("L").convert("RGB").resize((300, 200))


def trained(arch: str = "test_resnet", **arguments: object) -> nn.Module:
    """A network whose weights no constructor would make."""
    torch.manual_seed(1)
    net = timm.create_model(arch, **arguments)
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    return net.eval()


def assert_whole(model: Classifier) -> None:
    """Transform, network and head belong together."""
    pixels = model.transform(PICTURE)
    assert pixels.shape == model.input_size
    assert pixels.dtype == torch.float32
    with torch.no_grad():
        assert model.net(pixels[None]).shape == (1, model.num_classes)
    assert not model.net.training
    json.dumps([model.preprocessing, model.about])
    assert model.class_names is None or len(model.class_names) == model.num_classes
    assert " at 0x" not in repr(model.transform)
