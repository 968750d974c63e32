"""A repaired head survives every way out: the logits of what is loaded again are those of the repaired head."""

import pytest
import torch
from safetensors.torch import load_file

from oodkit.exporting.head_file import save_head
from oodkit.head import Head
from oodkit.heads import features_and_logits

# what is peculiar of each head: see the head finder's own tests
ARCHITECTURES = {
    "test_resnet": 32,  # one linear layer
    "test_vit": None,
    "resnetv2_18": 64,  # a 1×1 convolution
    "deit_tiny_distilled_patch16_224": None,  # two heads, each on a feature of its own
    "levit_128s": None,  # the same, each behind a batch norm
    "efficientformer_l1": None,  # two heads on one feature
    "repvit_m0_9": 64,
    "efficientvim_m1": None,  # four heads
    "test_mambaout": 64,  # the last layer of an MLP
    "torchvision:resnet18": 64,
    "torchvision:mobilenet_v2": 64,
}
LARGER = {"dla46_c": 64, "caformer_s18": 64}  # of heads as above


@pytest.mark.parametrize(
    ("arch", "size"), [*ARCHITECTURES.items(), *(pytest.param(*one, marks=pytest.mark.slow) for one in LARGER.items())]
)
def test_logits_of_the_repaired_network_are_the_repaired_heads(trained, on, arch, size, tmp_path):
    model = trained(arch, input_size=size)
    repaired = model.with_head(on.another(model.head))
    images = on.images_for(model)
    with torch.no_grad():
        features, logits = features_and_logits(repaired.net, repaired.head, images)
    on.close(logits, repaired.head(features))
    with torch.no_grad():
        before, _ = features_and_logits(model.net, model.head, images)
    torch.testing.assert_close(before, features)

    save_head(tmp_path / "head.safetensors", repaired)
    plain = trained(arch, input_size=size).net
    told = plain.load_state_dict(load_file(tmp_path / "head.safetensors"), strict=False)
    assert told.unexpected_keys == []
    on.close(on.logits_of(plain, images), logits)

    head = Head.load(tmp_path / "head.safetensors")
    assert (head.layers, head.shared, dict(head.shapes)) == (model.head.layers, model.head.shared, dict(model.head.shapes))
    on.close(on.logits_of(model.with_head(head).net, images), logits)
