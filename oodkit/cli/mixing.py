"""``diagnose --mixed``: mixed images through a model."""

from collections.abc import Mapping

from oodkit.classifier import Classifier
from oodkit.cli.extracting import extract_set
from oodkit.cli.inputs import Running
from oodkit.images.base import ImageSet
from oodkit.outputs import Outputs


def extract_mixed(model: Classifier, mixed: Mapping[float, ImageSet], running: Running) -> dict[float, Outputs]:
    """The model's outputs on mixed images, by λ as they are."""
    return {lam: extract_set(model, f"mixed {lam:g}", images, running, labelled=False) for lam, images in mixed.items()}


def unread_note(outputs: Mapping[float, Outputs]) -> str | None:
    """What to say where mixed images could not be read; the pairs are the same for every λ."""
    skipped = {one.index: one for own in outputs.values() for one in own.skipped}
    if not skipped:
        return None
    first = skipped[min(skipped)]
    count = max(len(own) + len(own.skipped) for own in outputs.values())
    return f"{len(skipped)} of {count} mixed images are left out, since they can't be read; the first: {first.name}: {first.reason}"
