"""The proof of an export: loaded again it is the same classifier."""

from collections.abc import Callable

import torch

from oodkit.classifier import Classifier
from oodkit.errors import InputError, NotApplicableError, UsageError

TOLERANCE = 1e-4  # of the largest logit: far above float32 rounding, far below the difference that a wrong layer makes

REMEDY = "--as head, --as onnx or --as detector can have it"


def require_same(model: Classifier, load: Callable[[], Classifier], form: str) -> None:
    """Load what was written, and raise NotApplicableError where its logits, preprocessing or class names are not the model's."""
    try:
        again = load()
    except (InputError, UsageError) as error:
        raise NotApplicableError(
            f"{model.name} can't be had as {form}: what was written does not load ({error}); {REMEDY}"
        ) from error
    differs = [
        *([] if _same_logits(model, again) else ["logits"]),
        *([] if again.preprocessing == model.preprocessing else ["preprocessing"]),
        *([] if _same_classes(model, again) else ["class names"]),
    ]
    if differs:
        raise NotApplicableError(
            f"{model.name} can't be had as {form}: loaded again it has other {' and '.join(differs)}; {REMEDY}"
        )


def require_own_biases(model: Classifier, form: str) -> None:
    """Raise NotApplicableError where a layer of the head has a bias now that the architecture does not have."""
    extra = [layer for layer in model.head.layers if has_new_bias(model, layer)]
    if extra:
        raise NotApplicableError(
            f"{model.name} can't be had as {form}: its layer {extra[0]} has no bias in the architecture, and the head needs one; "
            "--as onnx or --as detector can have it"
        )


def has_new_bias(model: Classifier, layer: str) -> bool:
    """Whether this layer of the head was given a bias that its architecture does not have."""
    shapes = model.head.shapes
    return bool(shapes) and f"{layer}.bias" not in shapes and model.net.get_submodule(layer).bias is not None


def _same_classes(model: Classifier, again: Classifier) -> bool:
    return model.class_names in {None, again.class_names} and model.class_ids in {None, again.class_ids}


@torch.no_grad()
def _same_logits(model: Classifier, again: Classifier) -> bool:
    images = torch.randn((2, *model.input_size), generator=torch.Generator().manual_seed(1))
    logits, other = (one.net.eval()(images.to(next(one.net.parameters()))).cpu() for one in (model, again))
    return logits.shape == other.shape and bool((logits - other).abs().max() <= TOLERANCE * logits.abs().max())
