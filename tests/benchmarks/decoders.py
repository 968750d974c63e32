"""Faster ways from a JPEG file to a network's input, against oodkit's own: images a second of ``extract``, and what they change.

Ways: Pillow and the network's own transform, as oodkit reads; Pillow, then resized as a tensor of bytes; simplejpeg, then the same.
Networks: "none" is one linear layer on the mean colours, which is what a processor has to do for a network that runs elsewhere.
With ``--model`` and ``--sets`` of a pretrained network, the differences of its logits and of AUROC instead.

Run by ``nox -s bench -- decoders``.
"""

import argparse
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import simplejpeg
import timm
import torch
from diagnose import make_jpegs
from PIL import Image
from timing import cost
from torch import Tensor, nn
from torchvision.transforms import v2

from oodkit.classifier import Classifier, load_classifier
from oodkit.extraction import extract
from oodkit.heads import find_head
from oodkit.images import files as image_files
from oodkit.images import open_images
from oodkit.images.decode import decode
from oodkit.metrics import auroc
from oodkit.models.preprocessing import timm_transform
from oodkit.reading import read_batches
from oodkit.scorers import make_scorer

CONFIG = {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875,
          "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # fmt: skip


class MeanColours(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.fc(pixels.mean((2, 3)))


class OnBytes:
    """An evaluation transform of timm or torchvision with its resize and crop on a uint8 tensor in place of a Pillow image."""

    def __init__(self, transform: Any) -> None:
        if hasattr(transform, "transforms"):
            resize, crop, _, self.normalise = transform.transforms
            size, how, cropped = resize.size, resize.interpolation, crop.size
        else:
            size, how, cropped = transform.resize_size, transform.interpolation, transform.crop_size
            self.normalise = v2.Normalize(transform.mean, transform.std)
        self.shown = f"OnBytes({transform!r})"
        self.resize_and_crop = v2.Compose([v2.Resize(size, how, antialias=True), v2.CenterCrop(cropped)])

    def __repr__(self) -> str:
        return self.shown

    def __call__(self, image: Image.Image | np.ndarray) -> Tensor:
        array = image if isinstance(image, np.ndarray) else np.array(image)
        pixels = self.resize_and_crop(torch.from_numpy(array).permute(2, 0, 1))
        return self.normalise(pixels.contiguous().float().div_(255))


def decode_fast(source: Path) -> Image.Image | np.ndarray:
    """What Pillow says of the file decides: anything but an upright JPEG of three colours is Pillow's, and so is every error."""
    try:
        with Image.open(source) as image:
            if image.format == "JPEG" and image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1:
                return simplejpeg.decode_jpeg(source.read_bytes(), colorspace="RGB")
    except Exception:  # noqa: BLE001  # whatever it was, Pillow tells
        pass
    return decode(source)


Way = tuple[Callable[..., Any], Callable[[Any], Any]]
WAYS: dict[str, Way] = {
    "Pillow": (decode, lambda transform: transform),
    "Pillow, tensor resize": (decode, OnBytes),
    "simplejpeg, tensor resize": (decode_fast, OnBytes),
}


def compare_speed(networks: Sequence[str], count: int, rounds: int, workers: int) -> None:
    with TemporaryDirectory() as name:
        make_jpegs(Path(name) / "images", count, 0)
        images = open_images(f"{name}/images")
        for network in networks:
            torch.manual_seed(0)
            net = (MeanColours() if network == "none" else timm.create_model(network)).eval()
            transform, _ = timm_transform(CONFIG)
            model = Classifier(network, net, transform, find_head(net, (3, 224, 224), None), (3, 224, 224), {})
            print(f"{network}: {count} JPEG files, workers {workers}, {torch.get_num_threads()} threads, torch {torch.__version__}")
            tell_costs(model, images, rounds, workers, lambda one: extract(one, images, cache=False, workers=workers))
        batches = [list(range(start, min(start + 64, count))) for start in range(0, count, 64)]
        print("read alone, without a network and without workers:")
        tell_costs(
            model, images, rounds, workers, lambda one: deque(read_batches(images, one.transform, batches, workers=0), maxlen=0)
        )


def tell_costs(model: Classifier, images: Any, rounds: int, workers: int, work: Callable[[Classifier], object]) -> None:
    """By processor time, medians of rounds in which the ways take turns: wall time says little where others load the machine."""
    taken: dict[str, list[Any]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, (decoder, transform) in WAYS.items():
            own = replace(model, transform=transform(model.transform))
            with patch.object(image_files, "decode", decoder):
                taken[way].append(cost(lambda own=own: work(own)))
    base = statistics.median(one.cpu for one in taken["Pillow"])
    for way, costs in taken.items():
        processor, wall = statistics.median(one.cpu for one in costs), statistics.median(one.wall for one in costs)
        print(f"  {way:<26} {processor / len(images) * 1e3:7.2f} ms of processor an image, {base / processor:.2f} times as fast "
              f"(the least {min(one.cpu for one in costs) / len(images) * 1e3:.2f} ms; {len(images) / wall:.1f} images/s wall)",
              flush=True)  # fmt: skip


def compare_outputs(model: Classifier, specs: Sequence[str]) -> None:
    """specs: the ID images, then each set of OOD images."""
    found: dict[str, list[Any]] = {}
    for way in ("Pillow", "simplejpeg, tensor resize"):
        decoder, transform = WAYS[way]
        own = replace(model, transform=transform(model.transform))
        with patch.object(image_files, "decode", decoder):
            found[way] = [extract(own, open_images(spec), cache=False, workers=0, labelled=False) for spec in specs]
    for way, outputs in found.items():
        apart = torch.cat(
            [(one.logits - other.logits).abs().flatten() for one, other in zip(outputs, found["Pillow"], strict=True)]
        )
        same = torch.cat(
            [one.logits.argmax(1) == other.logits.argmax(1) for one, other in zip(outputs, found["Pillow"], strict=True)]
        )
        print(f"{way}: logits differ by at most {apart.max():.4f}, mean {apart.mean():.5f}; same class {same.float().mean():.2%}")
        for name in ("mls", "msp", "ebo"):
            id_scores, *rest = (make_scorer(name).fit(outputs[0]).score(one) for one in outputs)
            print(f"  AUROC {name}: " + " ".join(f"{100 * auroc(id_scores, one):.3f}" for one in rest), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", nargs="+", default=["none", "mobilenetv3_small_050", "resnet50"])
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--model", help="a pretrained one, to compare outputs and not speed")
    parser.add_argument("--arch")
    parser.add_argument("--sets", nargs="+", help="ID images, then OOD sets")
    arguments = parser.parse_args()
    if arguments.model:
        compare_outputs(load_classifier(arguments.model, arch=arguments.arch), arguments.sets)
    else:
        compare_speed(arguments.networks, arguments.count, arguments.rounds, arguments.workers)


if __name__ == "__main__":
    main()
