"""The softmax of a perturbed image at a high temperature."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Odin(Scorer):
    """max_c softmax(z(x′)/T)_c, in (0, 1], x′ the image moved one step towards its own class: down the slope of its loss.

    Liang, Li and Srikant, ICLR 2018, arXiv 1706.02690, equations 1 and 2. x′ = x − noise · sign(∂CE(z(x)/T, ŷ)/∂x), with
    sign(0) = +1 and pixels in [0, 1]. Learns nothing. Runs the network again: one backward and two forward passes an image.
    temperature: T, above 0; 1000. noise: at least 0; 0.0014, which the authors choose anew for each network and OOD set. With
    noise=0 the network does not run again: the score is that of the plain logits at T.

    The noise is divided by the standard deviation of the network's own preprocessing, where OpenOOD divides by CIFAR's whatever the
    network. pytorch-ood takes 0.05 and no temperature in the score.
    """

    name = "odin"
    title = "ODIN"
    paper = "arXiv:1706.02690"
    uses = "logits"
    grid: ClassVar = {"temperature": (1.0, 10.0, 100.0, 1000.0), "noise": (0.0014, 0.0028)}

    temperature: float = 1000.0
    noise: float = 0.0014

    def __post_init__(self) -> None:
        self.require(self.temperature > 0, "a temperature above 0")
        self.require(self.noise >= 0, "a noise of at least 0")

    def probe(self) -> str | None:
        settings = f"temperature={float(self.temperature)},noise={float(self.noise)}"
        return f"odin:{settings}" if self.noise else None

    def _score(self, chunk: Outputs) -> Tensor:
        logits = (self.probed(chunk) if self.noise else chunk.logits).double() / self.temperature
        return (logits.amax(1) - logits.logsumexp(1)).exp()
