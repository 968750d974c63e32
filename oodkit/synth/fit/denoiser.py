"""The network that takes noise away, and what it learns from: EDM (Karras et al., arXiv:2206.00364)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner

P_MEAN, P_STD = -1.2, 1.2  # of ln σ in training: table 1
DROPPED = 0.1  # the share of labels that training hides, so that there can be guidance (Ho and Salimans, arXiv:2207.12598)
BLOCKS = 1  # a resolution and side of the U: more cost a CPU more than they bring
GROUPS = 8  # of normalisation: every width is a multiple


@dataclass(frozen=True)
class Architecture:
    """The shape of a denoiser, which a folder of a fit keeps.

    side: of the images, in pixels. patch: the network sees patch × patch pixels as one with 3 · patch² channels. widths: the
    channels of each resolution, each half of the one before. classes: how many there are, beside that of "no class". sigma_data:
    the root mean square of pixels in [−1, 1], about 0 and not their mean, so that what the network sees has variance 1.
    """

    side: int
    patch: int
    widths: tuple[int, ...]
    classes: int
    sigma_data: float

    def unet(self) -> nn.Module:
        """Diffusers' ``UNet2DModel`` alone, with random weights; label ``classes`` is "no class"."""
        from diffusers import UNet2DModel

        channels, depth = 3 * self.patch**2, len(self.widths)
        unet: nn.Module = UNet2DModel(  # type: ignore[no-untyped-call,assignment]  # diffusers has no types here
            sample_size=self.side // self.patch,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=BLOCKS,
            block_out_channels=self.widths,
            down_block_types=("DownBlock2D",) * depth,
            up_block_types=("UpBlock2D",) * depth,
            attention_head_dim=self.widths[-1],
            norm_num_groups=GROUPS,
            num_class_embeds=self.classes + 1,
        )
        return unet


class Denoiser(nn.Module):
    """Images with noise of a known strength to the expectation of those without (equation 7); at first with random weights."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape, self.unet = shape, shape.unet()

    def forward(self, noisy: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """noisy: (B, 3, H, W), images in [−1, 1] and noise of standard deviation sigma (B,). Gives (B, 3, H, W) float32."""
        strength, data = sigma.view(-1, 1, 1, 1), self.shape.sigma_data
        both = strength.square() + data**2
        found = self.raw(noisy * both.rsqrt(), sigma.log() / 4, labels)
        return noisy * (data**2 / both) + found * (strength * data * both.rsqrt())

    def raw(self, scaled: Tensor, noise: Tensor, labels: Tensor) -> Tensor:
        """What the network says, float32, of images of variance 1 and noise (B,), or one for all, ln σ / 4."""
        patches = pixel_unshuffle(scaled, self.shape.patch).to(memory_format=torch.channels_last)
        return pixel_shuffle(self.unet(patches, noise, class_labels=labels, return_dict=False)[0].float(), self.shape.patch)


def edm_loss(learner: Learner, batch: Batch) -> Found:
    """The weighted squared error of the denoised images (equation 8), with the noise and the hidden labels that torch draws."""
    denoiser = learner.net
    assert isinstance(denoiser, Denoiser)
    images, count = batch.images, len(batch.images)
    sigma = (P_MEAN + P_STD * torch.randn(count, device=images.device)).exp()
    hidden = torch.rand(count, device=images.device) < DROPPED
    labels = batch.labels.masked_fill(hidden, denoiser.shape.classes)
    strength = sigma.view(-1, 1, 1, 1)
    denoised = denoiser(images + strength * torch.randn_like(images), sigma, labels)
    data = denoiser.shape.sigma_data
    weight = (strength.square() + data**2) / (strength * data).square()
    return Found({"denoising": (weight * (denoised - images).square()).mean()})
