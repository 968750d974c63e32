"""The Inception network that published Fréchet distances are taken with, as a classifier."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.errors import CheckpointError, UsageError
from oodkit.head import Head
from oodkit.models.state import read_state
from oodkit.synth.weights_at import weights_at
from oodkit.wording import printable

SIDE = 299
FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")  # of torch-fidelity, of pytorch-fid
PUBLISHED = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILES[0]}"
HASH = "6726825d"  # which the sha256 of the published file begins with
INSTEAD = f"download it elsewhere and give --extractor inception:PATH/{FILES[0]}"


@dataclass(frozen=True)
class InceptionTransform:
    """An RGB image to (3, 299, 299) in [−1, 1), enlarged or reduced as TensorFlow 1 does it, without antialiasing."""

    side: int = SIDE

    def __call__(self, image: Image.Image) -> Tensor:
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        pixels = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32)).permute(2, 0, 1)[None]
        resized: Tensor = interpolate_bilinear_2d_like_tensorflow1x(pixels, size=(self.side, self.side), align_corners=False)
        return (resized[0] - 128) / 128


def load_inception(weights: str | Path | None = None) -> Classifier:
    """Inception-v3 of 2015 as torch-fidelity has it: 2,048 features, 1,008 classes without names, for ``assess``.

    Heusel et al., NeurIPS 2017, arXiv:1706.08500, take the Fréchet Inception distance of its features. weights: a file, or what
    ``weights_at`` takes; where they are left out, the file that torch-fidelity or pytorch-fid fetched before, else it is fetched.
    Raises UsageError without the package torch-fidelity, ModelNotFoundError where there are no weights, CheckpointError where they
    are of something else.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UsageError("the extractor inception needs the package torch-fidelity: pip install 'oodkit[fid]'") from error
    path = _file(weights)
    net = _sequence(_built(FeatureExtractorInceptionV3, path))
    fc = net.state_dict()
    shapes = {name: tuple(fc[name].shape) for name in ("fc.weight", "fc.bias")}
    head = Head(fc["fc.weight"].clone(), fc["fc.bias"].clone(), ("fc",), shapes=shapes)
    words = {
        "input_size": [3, SIDE, SIDE],
        "interpolation": "bilinear of TensorFlow 1",
        "mean": [128 / 255] * 3,
        "std": [128 / 255] * 3,
    }
    about = {"architecture": "Inception-v3 of 2015-12-05", "license": "Apache-2.0", "source": path.name}
    return Classifier("inception", net.eval(), InceptionTransform(), head, (3, SIDE, SIDE), words, about=about)


def _file(weights: str | Path | None) -> Path:
    if weights is not None:
        return weights_at(str(weights), FILES, INSTEAD).place
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    found = weights_at(PUBLISHED, FILES, INSTEAD)
    if not found.sha256.startswith(HASH):
        raise CheckpointError(
            f"{found.name} has a sha256 of {found.sha256[:8]}…, expected {HASH}…; remove {found.place} and run again"
        )
    return found.place


def _built(kind: Any, path: Path) -> nn.Module:
    """The network of torch-fidelity, which unpickles whatever it is given: so it is given tensors and nothing else."""
    tensors = BytesIO()
    torch.save(read_state(path).state, tensors)
    tensors.seek(0)
    try:
        built: nn.Module = kind("inception", ["2048"], feature_extractor_weights_path=tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{printable(str(path))} holds other weights than Inception's of torch-fidelity; give {FILES[0]}"
        ) from error
    return built


def _sequence(extractor: nn.Module) -> nn.Sequential:
    """Its layers in their order, without its own resizing, which takes images in bytes alone."""
    layers = dict(extractor.named_children())
    fc = layers.pop("fc")
    net = nn.Sequential()
    for name, layer in {**layers, "flatten": nn.Flatten(), "fc": fc}.items():
        net.add_module(name, layer)
    return net
