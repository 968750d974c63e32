"""Outputs of a network that never was, for timing scorers: features as after a ReLU, classes, correlated noise, a head that fits.

Figures made from them say how long a scorer takes and whether two implementations agree; they say nothing of how well it detects.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from oodkit.head import Head
from oodkit.shards import HEAD_FILE, Manifest, write_manifest, write_shard

FACTORS = 64  # directions that all features share, so that covariances are far from diagonal
BIAS = 0.45  # leaves about 60 % of the entries at zero
SHARD_SIZE = 512  # as the extraction writes them
Columns = dict[str, Tensor]


class Network:
    """Draws features (n, D) of images of given classes, or of none, and has a head (C, D) that classifies most of them."""

    def __init__(self, width: int, classes: int, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        lit = self._normal(classes, width) > 1  # by each class a sixth of the features
        self.patterns = self._normal(classes, width).abs() * lit
        self.mixing = self._normal(FACTORS, width) / FACTORS**0.5
        means = torch.zeros(classes, width)
        for labels in torch.arange(classes).repeat(20).split(4096):
            means.index_add_(0, labels, self.features(labels) / 20)
        centred = means - means.mean(0)
        weight = 16 * centred / (centred * centred).sum(1).mean()  # an image's own class gets about 16, the others 0
        self.head = Head(weight, -weight @ means.mean(0))

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def features(self, labels: Tensor) -> Tensor:
        """(n, D). A label of −1 is an OOD image: half of each of two classes, and stronger noise."""
        count, (classes, width) = len(labels), self.patterns.shape
        pairs = torch.randint(classes, (count, 2), generator=self.generator)
        known = (labels >= 0)[:, None]
        signal = torch.where(known, self.patterns[labels], 0.45 * self.patterns[pairs].sum(1))
        strength = 0.4 + 1.0 * torch.rand(count, 1, generator=self.generator)
        noise = self._normal(count, FACTORS) @ self.mixing + 0.8 * self._normal(count, width)
        return (strength * signal + torch.where(known, 1.0, 1.1) * noise - BIAS).clamp_(min=0)


def chunks_of(labels: Tensor, network: Network, rows: int = SHARD_SIZE) -> Iterator[Columns]:
    """The columns of a shard at a time: features in half precision, logits in float32, made as the extraction makes them."""
    for numbers in torch.arange(len(labels)).split(rows):
        features = network.features(labels[numbers]).half()
        logits = network.head(features.float())
        yield {"features": features, "logits": logits, "labels": labels[numbers], "indices": numbers}


def write_outputs(folder: Path, labels: Tensor, network: Network) -> None:
    """A folder of shards as ``extract`` leaves it; ``open_outputs`` reads it memory-mapped."""
    folder.mkdir(parents=True)
    write_manifest(folder, Manifest(folder.name, len(labels), SHARD_SIZE, 64, {"model": "synthetic"}))
    network.head.save(folder / HEAD_FILE)
    for shard, columns in enumerate(chunks_of(labels, network)):
        write_shard(folder, shard, columns, [])
