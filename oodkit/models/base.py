"""What is asked of a model source, and what it hands over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from oodkit.errors import UsageError

Transform = Callable[[Image.Image], Tensor]
Size = tuple[int, int, int]
AUGDELETE = "AugDelete"  # the method that files of weights and heads name, where the last layer was refitted


@dataclass(frozen=True)
class Options:
    """What the user said beside the model's name; None = the checkpoint's own.

    input_size: (channels, height, width). crop_pct: the share of the resized shorter side that the network sees. model_args:
    keyword arguments of the network's constructor.
    """

    arch: str | None = None
    checkpoint: Path | None = None
    num_classes: int | None = None
    input_size: Size | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    interpolation: str | None = None
    crop_pct: float | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    allow_pickle: bool = False

    def refuse(self, name: str, *refused: str) -> None:
        """Raise UsageError where one of the named options was given though it means nothing for this kind of model."""
        hints = {
            "arch": "--arch is for weights in a file: oodkit … FILE --arch ARCH",
            "checkpoint": "for weights in a file write the file's path as the model, with --arch ARCH",
        }
        for option in refused:
            if getattr(self, option) is not None:
                raise UsageError(f"{name} takes no --{option}: {hints[option]}")


@dataclass
class Loaded:
    """A network with its weights and what is known of it; the fields mean what they mean in ``Classifier``.

    refitted: whether the file of the weights says that their last layer was refitted by AugDelete.
    """

    name: str
    net: nn.Module
    transform: Transform
    input_size: Size
    preprocessing: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    class_ids: tuple[str, ...] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    refitted: bool = False


def full_size(size: int | Sequence[int] | None) -> Size | None:
    """32, (32, 48) or (3, 32, 48) as (channels, height, width). Raises UsageError for anything else."""
    if size is None:
        return None
    numbers = (size, size) if isinstance(size, int) else tuple(size)
    numbers = (3, *numbers) if len(numbers) == 2 else numbers
    if len(numbers) != 3 or min(numbers) < 1 or numbers[0] not in {1, 3}:
        raise UsageError(
            f"can't use input size {size}: expected a whole number such as 224, or channels (1 or 3), height and width"
        )
    return numbers[0], numbers[1], numbers[2]


def imagenet_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and WordNet ids of the 1,000 classes of ImageNet-1k, in the order that timm and torchvision share."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(info.label_descriptions()), tuple(info.label_names())
