"""Size of the last layer's gradient."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class GradNorm(Scorer):
    """‖f‖₁ · Σ_c |C · p_c − 1|, p = softmax(z): the L1 norm of ∂/∂W of the loss −Σ_c log p_c, in closed form; at least 0.

    Huang, Geng and Li, NeurIPS 2021, arXiv 2110.00218. Learns nothing and has no settings. The
    gradient of −Σ_c log p_c by the row w_c is (C · p_c − 1) · f, so no backward pass is needed; OpenOOD's runs one for each image
    and gives the same. The paper's loss, the divergence from the uniform distribution, is this one divided by C. The bias is
    left out, as there. The paper tries more layers too and finds the last one best. pytorch-ood's ``GradNorm`` is another score.

    Fails where the size of the features says little or the reverse of what it says on ImageNet's ResNets: near chance on CIFAR-10,
    below it on Swin-T and ViT-B/16 in OpenOOD's tables.
    """

    name = "gradnorm"
    title = "GradNorm"
    paper = "arXiv:2110.00218"
    uses = "both"

    def _score(self, chunk: Outputs) -> Tensor:
        excess = chunk.num_classes * chunk.logits.double().softmax(1) - 1
        scores: Tensor = chunk.features.double().abs().sum(1) * excess.abs().sum(1)
        return scores
