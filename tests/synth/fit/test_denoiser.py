"""EDM's preconditioning and loss, held against arithmetic by hand and against diffusers' own."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler
from torch import nn

from oodkit.synth.fit.denoiser import Architecture, Denoiser, edm_loss
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner

SHAPE = Architecture(8, 2, (8, 16), 3, 0.6)


class Says(nn.Module):
    """In the place of the network: what it is asked, and one answer for all."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.asked = answer, []

    def forward(self, scaled, noise, class_labels, return_dict):
        self.asked.append(SimpleNamespace(scaled=scaled, noise=noise, labels=class_labels))
        return (torch.zeros_like(scaled) + self.answer,)


def denoiser_that_says(answer):
    denoiser = Denoiser(SHAPE)
    denoiser.unet = Says(answer)
    return denoiser


def test_denoised_is_what_diffusers_makes_of_the_same_answer():
    denoiser, scheduler = denoiser_that_says(0.3), EDMDPMSolverMultistepScheduler(sigma_data=0.6)
    noisy = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for sigma in (0.01, 0.6, 40.0):
        found = denoiser(noisy, torch.full((4,), sigma), torch.zeros(4, dtype=torch.long))
        expected = scheduler.precondition_outputs(noisy, torch.full_like(noisy, 0.3), torch.tensor(sigma))
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.allclose(denoiser.unet.asked[-1].noise, scheduler.precondition_noise(torch.tensor(sigma)))


def test_the_network_sees_pixels_of_variance_1_in_patches():
    denoiser = denoiser_that_says(0.0)
    generator = torch.Generator().manual_seed(0)
    sigma = torch.tensor(2.0)
    noisy = 0.6 * torch.randn(64, 3, 8, 8, generator=generator) + sigma * torch.randn(64, 3, 8, 8, generator=generator)
    denoiser(noisy, sigma.expand(64), torch.zeros(64, dtype=torch.long))
    seen = denoiser.unet.asked[0].scaled
    assert seen.shape == (64, 12, 4, 4)
    assert seen.std() == pytest.approx(1, abs=0.02)


def test_the_loss_is_the_plain_error_of_what_the_network_says():
    """λ(σ) c_out(σ)² = 1, equation 8: of data without spread, an answer of zero has the mean square of its target."""
    denoiser, images = denoiser_that_says(0.0), torch.full((512, 3, 8, 8), 0.25)
    learner = Learner(denoiser, "", 0, nn.Module(), edm_loss)
    torch.manual_seed(0)
    loss = edm_loss(learner, Batch((images,), torch.zeros(512, dtype=torch.long))).parts["denoising"]
    asked = denoiser.unet.asked[0]
    sigma = (4 * asked.noise).exp().view(-1, 1, 1, 1)
    both = (sigma**2 + 0.36).sqrt()
    patches = torch.nn.functional.pixel_unshuffle(images, 2)
    target = (patches - 0.36 / both**2 * asked.scaled * both) / (sigma * 0.6 / both)
    assert loss.item() == pytest.approx(target.square().mean().item(), rel=1e-4)
    assert asked.noise.mul(4).mean() == pytest.approx(-1.2, abs=0.2)
    assert asked.noise.mul(4).std() == pytest.approx(1.2, abs=0.15)


def test_a_tenth_of_the_labels_is_hidden():
    denoiser = denoiser_that_says(0.0)
    learner = Learner(denoiser, "", 0, nn.Module(), edm_loss)
    torch.manual_seed(0)
    edm_loss(learner, Batch((torch.zeros(4000, 3, 8, 8),), torch.ones(4000, dtype=torch.long)))
    labels = denoiser.unet.asked[0].labels
    assert set(labels.tolist()) == {1, 3}
    assert (labels == 3).float().mean() == pytest.approx(0.1, abs=0.02)


def test_the_network_is_diffusers_and_knows_its_classes():
    torch.manual_seed(0)
    denoiser = Denoiser(SHAPE).eval()
    noisy, sigma = torch.randn(2, 3, 8, 8), torch.ones(2)
    one, other = (denoiser(noisy, sigma, torch.full((2,), label)) for label in (0, 3))
    assert one.shape == noisy.shape
    assert not torch.allclose(one, other)
    assert type(denoiser.unet).__name__ == "UNet2DModel"
