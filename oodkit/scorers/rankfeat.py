"""The energy without the first rank of the feature maps."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class RankFeat(Scorer):
    """lse((z₄ + z₃) / 2), z₄ the logits without the first rank of the last stage's feature map, z₃ without that of the one before.

    Song, Sebe and Wang, NeurIPS 2022, arXiv 2209.08590. From each map X (channels × positions) of an image the largest singular
    value with both its vectors, σ₁u₁v₁ᵀ, is taken away, and the rest of the network runs on what is left. Learns nothing; both
    presets agree. Runs the network again: a forward pass and a second one of the last stage. The decomposition is exact;
    OpenOOD can put 20 power iterations in its place, off by default.

    For networks with stages of feature maps: ResNets and their kin, RegNet, ConvNeXt; the last two stages count, whatever their
    number. Others get the reason why not, as does a last stage whose map is a single position. Fails often: it takes away most
    of what the network saw, and OpenOOD's ResNet-50 is near chance with it (50.99 near, 53.93 far).
    """

    name = "rankfeat"
    title = "RankFeat"
    paper = "arXiv:2209.08590"
    uses = "logits"

    def probe(self) -> str:
        return "rankfeat"

    def _score(self, chunk: Outputs) -> Tensor:
        return self.probed(chunk).double().logsumexp(1)
