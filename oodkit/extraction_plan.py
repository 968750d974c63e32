"""What is still to be extracted: a folder by the contents of model and images, its shards, and which process makes which."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from oodkit.classifier import Classifier
from oodkit.code_identity import stable_repr
from oodkit.forward import Dtype, default_batch_size, resolve_device, resolve_dtype
from oodkit.images.base import ImageSet
from oodkit.probes import parse_probe
from oodkit.probes.base import Probe
from oodkit.processes import rank, world_size
from oodkit.shards import COLUMNS, FORMAT, Manifest, missing_shards, read_manifest, shard_path

SHARD_SIZE = 512


@dataclass(frozen=True)
class Plan:
    """A folder of outputs, or of what one probe finds, and its shards that are still to be made, of which some are damaged."""

    probe: Probe | None
    folder: Path
    manifest: Manifest
    missing: Sequence[int]
    damaged: Collection[int]

    def dealt(self, *, own_only: bool) -> list[int]:
        """Its own shards; then those of the others, each process from elsewhere on, so that they rarely make the same."""
        turn = int(self.manifest.key[:8], 16)  # sets of a single shard do not all fall to the first process
        own = [shard for shard in self.missing if (shard + turn) % world_size() == rank()]
        others = sorted({*self.missing} - {*own}, reverse=True)
        start = len(others) * rank() // world_size()
        return own if own_only else [*own, *others[start:], *others[:start]]

    def made_elsewhere(self, shard: int) -> bool:
        """Whether another process has made the shard since."""
        return world_size() > 1 and shard not in self.damaged and shard_path(self.folder, shard).exists()

    def batches(self, shard: int) -> list[list[int]]:
        """The positions of its images, as they go through the network together."""
        rows = list(self.manifest.shard_range(shard))
        return [rows[start : start + self.manifest.batch_size] for start in range(0, len(rows), self.manifest.batch_size)]

    def runs_at(self, model: Classifier, device: torch.device, asked: int | None) -> int:
        """Images at once: as in the manifest; of a probe with gradients that began on another device no more than have room here.

        asked: the batch size that the user gave, which is kept to.
        """
        begun = self.manifest.batch_size
        if asked is not None or self.probe is None or not self.probe.differentiates:
            return begun
        return min(begun, default_batch_size(model, device, self.probe))


def plan_extraction(
    model: Classifier,
    images: ImageSet,
    probe: Probe | None,
    root: Path,
    *,
    device: str,
    dtype: Dtype,
    batch_size: int | None,
) -> Plan:
    """What is to be made below ``root``; probe: None for the forward pass itself. The other arguments as in ``extract``."""
    spec = None if probe is None else probe.spec()
    key = outputs_key(model, images, dtype, spec)
    folder = root / key
    manifest = read_manifest(folder)
    if manifest is None or manifest.count != len(images) or batch_size not in {None, manifest.batch_size}:
        columns = COLUMNS if spec is None else (spec, "indices")
        about = {
            "model": model.name,
            "images": images.spec,
            "dtype": resolve_dtype(dtype),
            "preprocessing": dict(model.preprocessing),
        }
        about |= {} if spec is None else {"probe": spec}
        batch_size = batch_size or default_batch_size(model, resolve_device(device), probe)
        manifest = Manifest(key, len(images), SHARD_SIZE, batch_size, about, columns)
    missing = missing_shards(folder, manifest)
    return Plan(probe, folder, manifest, missing, {shard for shard in missing if shard_path(folder, shard).exists()})


def outputs_key(model: Classifier, images: ImageSet, dtype: Dtype = "auto", probe: str | None = None) -> str:
    """The cache key: a hash of weights, transform, dtype, image list and, for what a probe finds, its spec and version; never
    of a name.
    """
    asked = None if probe is None else parse_probe(probe)
    parts = [
        FORMAT,
        model.fingerprint(),
        stable_repr(model.transform),
        dict(model.preprocessing),
        resolve_dtype(dtype),
        images.fingerprint(),
        *([] if asked is None else [asked.spec(), asked.version]),
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=12).hexdigest()
