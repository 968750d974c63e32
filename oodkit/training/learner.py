"""What a recipe's loss sees: the network, its last layer, and what is trained beside it."""

from collections.abc import Callable

from torch import Tensor, nn

from oodkit.errors import UnsupportedModelError
from oodkit.training.batch import Batch, Found


class Learner(nn.Module):
    """A network in training and a recipe's loss; called with a batch, it gives the loss, so that several processes wrap it as one.

    net: images (B, 3, H, W) to logits (B, C). head: the name of its last layer, "" of several. num_features: D, the entries of what
    that layer reads. extra: what the recipe trains beside the network. loss: the recipe's.
    """

    def __init__(
        self, net: nn.Module, head: str, num_features: int, extra: nn.Module, loss: Callable[["Learner", Batch], Found]
    ) -> None:
        super().__init__()
        self.net, self.extra = net, extra
        self.head, self.num_features, self._loss = head, num_features, loss

    def forward(self, batch: Batch) -> Found:
        return self._loss(self, batch)

    def logits(self, images: Tensor) -> Tensor:
        """(B, C) of images (B, 3, H, W)."""
        logits: Tensor = self.net(images)
        return logits

    @property
    def head_layer(self) -> nn.Linear:
        """The last layer. Raises UnsupportedModelError as ``linear_head``."""
        return linear_head(self.net, self.head)

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the last layer reads, (B, D), and the logits (B, C), from one forward pass; both carry gradients."""
        read: list[Tensor] = []
        handle = self.head_layer.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        try:
            logits = self.logits(images)
        finally:
            handle.remove()
        return read[0], logits

    def classify(self, features: Tensor) -> Tensor:
        """The logits (B, C) that the last layer makes of features (B, D)."""
        logits: Tensor = self.head_layer(features)
        return logits


def linear_head(net: nn.Module, name: str) -> nn.Linear:
    """The last layer by its name. Raises UnsupportedModelError where it is none that maps features (B, D) to logits (B, C)."""
    layer = net.get_submodule(name) if name else None
    if not isinstance(layer, nn.Linear):
        found = (
            f"this one ends in {name}, a {type(layer).__name__}"
            if name
            else "the logits of this one are the mean of several layers"
        )
        raise UnsupportedModelError(f"this recipe needs a network that ends in one linear layer; {found}")
    return layer
