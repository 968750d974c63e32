"""The forward passes of a command: its image sets through a model."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

import torch

from oodkit.classifier import Classifier
from oodkit.cli.inputs import Drawn, Running, Sets
from oodkit.cli.interruptions import kept_in_cache
from oodkit.cli.progress import progress_bar
from oodkit.extraction import extract, extract_own_share, extracted
from oodkit.forward import obstacle, resolve_device
from oodkit.images.base import ImageSet
from oodkit.outputs import Outputs
from oodkit.probes import parse_probe
from oodkit.processes import rank, world_size

Made = TypeVar("Made")


def extract_sets(model: Classifier, sets: Sets, running: Running, probes: Mapping[str, Sequence[str]]) -> dict[str, Outputs]:
    """The model's outputs on the sets that ``probes`` names, each with the probes that it names for it.

    A probe that can't run on this network is left out, and the outputs say why. Each of several processes makes its share of every
    set before it turns to what the others have left.
    """
    named, outside = sets.named(), sets.outside()
    asked = dict.fromkeys(chain.from_iterable(probes.values()))
    obstacles = {spec: why for spec in asked if (why := obstacle(model, parse_probe(spec)))}
    able = {name: [spec for spec in specs if spec not in obstacles] for name, specs in probes.items()}
    found = {}
    if sets.drawn is not None and able.get("fit") == [] and (known := _known_share(model, sets.drawn, running)) is not None:
        found["fit"] = known
    rest = [name for name in probes if name not in found]
    if world_size() > 1:
        for name in rest:
            _extract(extract_own_share, model, name, named[name], running, able[name])
    for name in rest:
        found[name] = extract_set(model, name, named[name], running, labelled=name not in outside, probes=able[name])
    for outputs in found.values():
        outputs.obstacles = obstacles
    return {name: found[name] for name in probes}


def _known_share(model: Classifier, drawn: Drawn, running: Running) -> Outputs | None:
    """The share's outputs out of those of the whole set, where the cache holds them."""
    device = resolve_device(running.device)
    whole = extracted(model, drawn.whole, dtype=running.dtype, cache=running.cache)
    if whole is None:
        return None
    outputs = whole.of_images(torch.from_numpy(drawn.rows))
    return outputs.to(device) if device.type == "cuda" else outputs


def extract_set(
    model: Classifier, name: str, images: ImageSet, running: Running, *, labelled: bool, probes: Sequence[str] = ()
) -> Outputs:
    """The model's outputs on one set; where that is a GPU, they go through the scorers on it too. name: for the progress bar."""
    device = resolve_device(running.device)
    outputs = _extract(partial(extract, labelled=labelled), model, name, images, running, probes)
    return outputs.to(device) if device.type == "cuda" else outputs


def _extract(
    by: Callable[..., Made], model: Classifier, name: str, images: ImageSet, running: Running, probes: Sequence[str]
) -> Made:
    with kept_in_cache(), progress_bar(f"{model.name} on {name}", quiet=running.quiet or rank() > 0) as progress:
        return by(
            model,
            images,
            device=running.device,
            dtype=running.dtype,
            batch_size=running.batch_size,
            workers=running.workers,
            cache=running.cache,
            probes=probes,
            progress=progress,
        )
