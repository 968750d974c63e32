"""Write models.md: where the head of every model family lies, found on untrained networks, and which families have none.

python docs/make_models_page.py        takes ten minutes and 2 GB
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
import torchvision
from torch import nn

from oodkit.errors import UnsupportedModelError
from oodkit.heads import find_head
from oodkit.models import from_torchvision
from oodkit.models.base import Options
from oodkit.models.preprocessing import torchvision_transform

PAGE = Path(__file__).parent / "models.md"

FAMILIES = {  # timm's modules, and the smallest architecture of each that has a classifier
    "beit": "beit_base_patch16_224",
    "byoanet": "halonet_h1",
    "byobnet": "test_byobnet",
    "cait": "cait_xxs24_224",
    "coat": "coat_tiny",
    "convit": "convit_tiny",
    "convmixer": "convmixer_768_32",
    "convnext": "test_convnext",
    "cpubone": "cpubone_nano",
    "crossvit": "crossvit_tiny_240",
    "csatv2": "csatv2",
    "cspnet": "cs3darknet_focus_s",
    "cspnext": "cspnext_tiny",
    "davit": "davit_tiny",
    "deit": "deit_tiny_patch16_224",
    "densenet": "densenet121",
    "dla": "dla46x_c",
    "dpn": "dpn48b",
    "edgenext": "edgenext_xx_small",
    "efficientformer": "efficientformer_l1",
    "efficientformer_v2": "efficientformerv2_s0",
    "efficientnet": "test_efficientnet",
    "efficientvim": "efficientvim_m1",
    "efficientvit_mit": "efficientvit_b0",
    "efficientvit_msra": "efficientvit_m0",
    "eva": "eva02_tiny_patch14_336",
    "fasternet": "fasternet_t0",
    "fastvit": "fastvit_t8",
    "focalnet": "focalnet_tiny_srf",
    "gcvit": "gcvit_xxtiny",
    "ghostnet": "ghostnet_050",
    "hardcorenas": "hardcorenas_b",
    "hgnet": "hgnetv2_b0",
    "hiera": "hiera_tiny_224",
    "hieradet_sam2": "hieradet_small",
    "hrnet": "hrnet_w18_small",
    "iformer": "iformer_t",
    "inception_next": "inception_next_atto",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "lcnetv2": "lcnetv2_small",
    "levit": "levit_128s",
    "lowformer": "lowformer_b0",
    "mambaout": "test_mambaout",
    "maxxvit": "test_coatnet",
    "metaformer": "poolformerv2_s12",
    "mlp_mixer": "gmlp_ti16_224",
    "mobilenetv3": "mobilenetv3_small_050",
    "mobilenetv5": "mobilenetv5_base",
    "mobilevit": "mobilevit_xxs",
    "mvitv2": "mvitv2_tiny",
    "naflexvit": "naflexvit_base_patch16_parfac_gap",
    "nasnet": "nasnetalarge",
    "nest": "nest_tiny",
    "nextvit": "nextvit_small",
    "nfnet": "test_nfnet",
    "pit": "pit_ti_224",
    "pnasnet": "pnasnet5large",
    "pvt_v2": "pvt_v2_b0",
    "rdnet": "rdnet_tiny",
    "regnet": "regnetx_002",
    "repghost": "repghostnet_050",
    "repvit": "repvit_m1",
    "res2net": "res2next50",
    "resnest": "resnest14d",
    "resnet": "test_resnet",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "selecsls": "selecsls42",
    "senet": "legacy_seresnet18",
    "sequencer": "sequencer2d_s",
    "shvit": "shvit_s1",
    "sknet": "skresnet18",
    "starnet": "starnet_s050",
    "swiftformer": "swiftformer_xs",
    "swin_transformer": "swin_tiny_patch4_window7_224",
    "swin_transformer_v2": "swinv2_tiny_window8_256",
    "swin_transformer_v2_cr": "swinv2_cr_tiny_224",
    "tiny_vit": "tiny_vit_5m_224",
    "tnt": "tnt_s_legacy_patch16_224",
    "tresnet": "tresnet_m",
    "twins": "twins_svt_small",
    "vgg": "vgg11",
    "visformer": "visformer_tiny",
    "vision_transformer": "test_vit",
    "vision_transformer_hybrid": "vit_tiny_r_s16_p8_224",
    "vision_transformer_relpos": "test_vit_relpos",
    "vision_transformer_sam": "samvit_base_patch16_224",
    "volo": "volo_d1_224",
    "vovnet": "ese_vovnet19b_slim_dw",
    "xception": "legacy_xception",
    "xception_aligned": "xception41p",
    "xcit": "xcit_nano_12_p8_224",
}
WITHOUT_CLASSIFIER = {  # timm's modules whose weights all end in features
    "deepseek_vit": "vision tower of a language model",
    "gemma4_vit": "vision tower of a language model",
    "qwen3_vit": "vision tower of a language model",
    "vitamin": "CLIP image tower: its outputs are an embedding",
}
MORE = (  # heads that the smallest of their family does not have
    ("deit", "deit_tiny_distilled_patch16_224"),
    ("metaformer", "caformer_s18"),
    ("pit", "pit_ti_distilled_224"),
    ("resnet", "resnet50"),
    ("resnetv2", "resnetv2_50x1_bit"),
    ("vision_transformer", "vit_tiny_patch16_224"),
)

INTRO = """# Models

<!-- written by docs/make_models_page.py -->

oodkit needs the linear layer that makes a network's logits: `logits = W·features + b`. It finds that layer by what it does, not
by its name: every linear layer and 1×1 convolution is watched while two random images pass, and the last one whose `W·input + b` is
the network's answer is the head. Where a network averages several heads, they become one: of the feature that they share, or of
their features side by side. A network whose logits no such layer makes is refused with the reason.

The tables show one architecture of every timm module that has a classifier, and every classification architecture of torchvision,
with random weights (timm {timm}, torchvision {torchvision}). D is the number of features.
"""


def networks() -> Iterator[tuple[str, str, str]]:
    """(source, family, name) of every network of the page."""
    yield from sorted(("timm", family, name) for family, name in [*FAMILIES.items(), *MORE])
    names = torchvision.models.list_models(module=torchvision.models)
    for name in names:
        yield "torchvision", torchvision.models.get_model_builder(name).__module__.rpartition(".")[2], name


def build(source: str, name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """An untrained network and its input size, with random numbers where the constructor left zeros.

    A bias of zeros or an empty last layer would let a wrong head pass for the right one.
    """
    torch.manual_seed(0)
    if source == "timm":
        net = timm.create_model(name)
        size = net.pretrained_cfg["input_size"]
    else:
        net = from_torchvision.build(f"torchvision:{name}", Options())
        _, weights = from_torchvision.weights_of(f"torchvision:{name}")
        _, size, _ = torchvision_transform(weights, Options())
    for parameter in net.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return net.eval(), size


def row(source: str, family: str, name: str) -> str:
    """The line of the table: which head, or why there is none."""
    net, size = build(source, name)
    start = f"| {family} | `{name}` |"
    try:
        head = find_head(net, size)
    except UnsupportedModelError as error:
        return f"{start} refused: {error} | | |"
    one = "1×1 convolution" if isinstance(net.get_submodule(head.layers[0]), nn.Conv2d) else "linear"
    averaged = f"mean of {len(head.layers)} {one}, {'one feature' if head.shared else 'side by side'}"
    layers = ", ".join(f"`{layer}`" for layer in head.layers)
    return f"{start} {one if len(head.layers) == 1 else averaged} | {head.num_features} | {layers} |"


def page() -> str:
    tables: dict[str, list[str]] = {"timm": [], "torchvision": []}
    for source, family, name in networks():
        tables[source].append(row(source, family, name))
        print(tables[source][-1], flush=True)
        gc.collect()
    tables["timm"] += [f"| {family} | | refused: no classifier ({why}) | | |" for family, why in WITHOUT_CLASSIFIER.items()]
    parts = [INTRO.format(timm=timm.__version__, torchvision=torchvision.__version__.partition("+")[0])]
    for source, lines in tables.items():
        parts.append(
            "\n".join([f"## {source}", "", "| family | architecture | head | D | layers |", "|---|---|---|---:|---|", *lines])
        )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
