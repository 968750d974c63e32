"""Maximum softmax probability."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Msp(Scorer):
    """max_c softmax(z)_c, in (0, 1].

    Hendrycks and Gimpel, ICLR 2017, arXiv 1610.02136. Learns nothing; both presets agree. In float64, so that images
    tie at 1 only where the largest logit leads by more than 36.

    Fails where misclassified ID images are frequent, which look OOD to it; it can't see the size of the features.
    """

    name = "msp"
    title = "Maximum softmax probability"
    paper = "arXiv:1610.02136"
    uses = "logits"

    def _score(self, chunk: Outputs) -> Tensor:
        logits = chunk.logits.double()
        return (logits.amax(1) - logits.logsumexp(1)).exp()
