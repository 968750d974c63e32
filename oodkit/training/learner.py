"""What a recipe's loss sees: the network, its last layer, and what is trained beside it."""

from torch import Tensor, nn

from oodkit.errors import UnsupportedModelError
from oodkit.training.recipes.base import Batch, Found, Recipe


class Learner(nn.Module):
    """A network in training and a recipe; called with a batch, it gives the loss, so that several processes wrap it as one.

    net: images (B, 3, H, W) to logits (B, C). extra: the recipe's own modules. head: the name of the network's last layer.
    num_features: D, the entries of what that layer reads.
    """

    def __init__(self, net: nn.Module, head: str, num_classes: int, num_features: int, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.head, self.num_classes, self.num_features, self.recipe = net, head, num_classes, num_features, recipe
        self.extra = recipe.modules(num_classes, num_features)

    def forward(self, batch: Batch) -> Found:
        return self.recipe.loss(self, batch)

    def logits(self, images: Tensor) -> Tensor:
        """(B, C) of images (B, 3, H, W)."""
        logits: Tensor = self.net(images)
        return logits

    @property
    def head_layer(self) -> nn.Linear:
        """The last layer. Raises UnsupportedModelError where it is none that maps features (B, D) to logits (B, C)."""
        layer = self.net.get_submodule(self.head)
        if not isinstance(layer, nn.Linear):
            found = f"this one ends in {self.head}, a {type(layer).__name__}"
            raise UnsupportedModelError(f"recipe {self.recipe.name} needs a network that ends in one linear layer; {found}")
        return layer

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
