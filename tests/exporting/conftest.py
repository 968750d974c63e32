"""Classifiers of many architectures with random weights, loaded as a user loads them; and other heads for them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file

from oodkit.classifier import load_classifier

CLASSES = ("cat", "dog", "fox", "hen", "yak")


@pytest.fixture
def trained(tmp_path):
    """Make a timm or torchvision network of five classes, from a file. No bias is 0: that would hide a head written wrongly."""

    def make(arch: str, **options):
        torch.manual_seed(0)
        if arch.startswith("torchvision:"):
            from torchvision.models import get_model

            given = {"num_classes": len(CLASSES), **options.get("model_args", {})}
            net = get_model(arch.removeprefix("torchvision:"), weights=None, **given)
        elif not timm.is_model(arch):
            pytest.skip(f"timm {timm.__version__} has no {arch}")
        else:
            net = timm.create_model(arch, num_classes=len(CLASSES))
        state = {
            name: torch.rand_like(one) if name.endswith("bias") else one.contiguous() for name, one in net.state_dict().items()
        }
        path = tmp_path / f"{arch.removeprefix('torchvision:')}.safetensors"
        save_file(state, path)
        return load_classifier(str(path), **{"arch": arch, "class_names": CLASSES, **options})

    return make


def another(head):
    """A head of the same layers with other numbers."""
    generator = torch.Generator().manual_seed(1)
    weight, bias = (torch.randn(one.shape, generator=generator) for one in (head.weight, head.bias))
    return replace(head, weight=weight, bias=bias)


def images_for(model):
    return torch.randn((2, *model.input_size), generator=torch.Generator().manual_seed(2))


def logits_of(net, images):
    with torch.no_grad():
        return net.eval()(images)


def close(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4 * float(other.abs().max()))


@pytest.fixture
def on():
    """What the tests do with networks: another(head), images_for(model), logits_of(net, images), close(one, other)."""
    return SimpleNamespace(another=another, images_for=images_for, logits_of=logits_of, close=close)
