"""Batches mixed in pairs by torchvision: what mixup, cutmix, v2, regmixup and augrevise share."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Mixed:
    """A batch in which each image is mixed with the one before it; the first, with the last.

    images: (B, 3, H, W). labels, others: (B,) int64, the classes of the two that each is made of. share: λ in [0, 1], what
    ``labels`` have in it; ``others`` have 1 − λ.
    """

    images: Tensor
    labels: Tensor
    others: Tensor
    share: float

    def cross_entropy(self, logits: Tensor, smoothing: float = 0.0) -> Tensor:
        """−y_mixᵀ log softmax(v), the mean over logits v (B, C), with y_mix = λ y + (1 − λ) y_other; β of it uniform.

        Cross-entropy is linear in its target, so no targets (B, C) are made. Source: Xiong et al., ICCV 2025, eq. 9 and 7.
        """
        from torch.nn.functional import cross_entropy

        own = cross_entropy(logits, self.labels, label_smoothing=smoothing)
        other = cross_entropy(logits, self.others, label_smoothing=smoothing)
        return self.share * own + (1 - self.share) * other

    def correct(self, logits: Tensor) -> Tensor:
        """(B,) bool, whether the answer is the class with the larger share."""
        return logits.argmax(1) == (self.labels if self.share >= 0.5 else self.others)


def mixup(images: Tensor, labels: Tensor, alpha: float) -> Mixed:
    """λ x + (1 − λ) x_other with λ from Beta(α, α), one for the batch. Source: Zhang et al., mixup, ICLR 2018."""
    from torchvision.transforms import v2

    return _mixed(v2.MixUp(alpha=alpha), images, labels, "lam")


def cutmix(images: Tensor, labels: Tensor, alpha: float) -> Mixed:
    """X with a box of x_other in it, one box for the batch; λ is the share of pixels left. Source: Yun et al., CutMix, ICCV 2019.

    1 − λ of the image, before the box is cut off at its edges, is drawn from Beta(α, α).
    """
    from torchvision.transforms import v2

    return _mixed(v2.CutMix(alpha=alpha), images, labels, "lam_adjusted")


def _mixed(transform: Any, images: Tensor, labels: Tensor, share: str) -> Mixed:
    """Its two steps are asked for one by one, since called as a whole it does not tell λ."""
    drawn = {"labels": labels, "batch_size": len(labels), **transform.make_params([images])}
    return Mixed(transform.transform(images, drawn), labels, labels.roll(1), drawn[share])
