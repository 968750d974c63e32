"""A fitted scorer as a PyTorch module: what it learnt moves, compiles and exports with the network before it."""

from copy import copy

from torch import Tensor, nn

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, require_fitted


class ScorerModule(nn.Module):
    """Features (n, D) and logits (n, C) to scores (n,) float64, as ``scorer.score`` gives, on the module's device and unchecked.

    The tensors that the scorer learnt, and the head's, are its buffers; settings that were learnt are numbers. Raises
    NotFittedError where the scorer has yet to learn, NotApplicableError where it runs the network again.
    """

    def __init__(self, scorer: Scorer, head: Head) -> None:
        super().__init__()
        if scorer.probe() is not None:
            raise NotApplicableError(f"{scorer.name} runs the network again on each image; take a scorer of features and logits")
        require_fitted(scorer)
        self._scorer = copy(scorer)
        settings = scorer.settings()
        vars(self._scorer).update(settings)
        self._learnt = nn.Module()
        for name, tensor in (scorer.state or {}).items():
            if name not in settings:
                self._learnt.register_buffer(name, tensor)
        self._layers, self._shared = head.layers, head.shared
        self.register_buffer("weight", head.weight)
        self.register_buffer("bias", head.bias)

    @property
    def head(self) -> Head:
        """The head, where the module is."""
        return Head(self.get_buffer("weight"), self.get_buffer("bias"), self._layers, self._shared)

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """(n,) float64, higher = more in-distribution; NaN where features or logits are not finite."""
        scorer = copy(self._scorer)
        scorer.state = dict(self._learnt.named_buffers())
        return scorer.score_chunk(Outputs(features, logits=logits, head=self.head))
