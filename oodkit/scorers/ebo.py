"""Energy."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Ebo(Scorer):
    """T · log Σ_c exp(z_c / T), the negative of the paper's energy.

    Liu, Wang, Owens and Li, NeurIPS 2020, arXiv 2010.03759, equation 4. Learns nothing; both presets agree.
    temperature: T > 0.

    Fails as ``mls`` does, on networks trained with label smoothing or mixup.
    """

    name = "ebo"
    title = "Energy"
    paper = "arXiv:2010.03759"
    uses = "logits"

    temperature: float = 1.0

    def __post_init__(self) -> None:
        self.require(self.temperature > 0, "temperature > 0")

    def _score(self, chunk: Outputs) -> Tensor:
        return self.temperature * (chunk.logits.double() / self.temperature).logsumexp(1)
