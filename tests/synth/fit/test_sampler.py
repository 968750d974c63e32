"""The solver reaches the distribution that is known in closed form, and an image depends on its own seed alone."""

import pytest
import torch
from torch import nn

from oodkit.synth.fit.denoiser import Architecture, Denoiser
from oodkit.synth.fit.sampler import sample
from oodkit.synth.pixels import as_pixels

SHAPE = Architecture(8, 1, (8, 16), 2, 0.5)


class Answers(nn.Module):
    """In the place of the network: the answer of each label."""

    def __init__(self, *of_label):
        super().__init__()
        self.of_label = nn.Parameter(torch.tensor(of_label), requires_grad=False)
        self.asked = 0

    def forward(self, scaled, noise, class_labels, return_dict):
        self.asked += 1
        return (torch.zeros_like(scaled) + self.of_label[class_labels].view(-1, 1, 1, 1),)


def with_answers(*of_label):
    denoiser = Denoiser(SHAPE)
    denoiser.unet = Answers(*of_label)
    return denoiser


def noise_of(seed):
    return torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_of_a_normal_distribution_the_solver_finds_the_exact_end():
    """With data of N(0, σ_data²) the right answer is 0, and noise σ z ends at σ_data z · σ / √(σ² + σ_data²)."""
    images = sample(with_answers(0.0, 0.0, 0.0), [0, 1], [5, 6], steps=40, guidance=1.0)
    exact = torch.stack([noise_of(5), noise_of(6)]) * 80 * 0.5 / (80**2 + 0.25) ** 0.5
    assert torch.allclose(images, exact, rtol=0.03, atol=1e-4)


def test_guidance_moves_away_from_no_class():
    plain, guided = (sample(with_answers(0.4, 0.1, 0.3), [0], [5], steps=4, guidance=weight) for weight in (1.0, 2.0))
    same = sample(with_answers(0.3 + 2 * (0.4 - 0.3), 0.0, 0.0), [0], [5], steps=4, guidance=1.0)
    assert torch.allclose(guided, same, atol=1e-4)
    assert not torch.allclose(guided, plain, atol=1e-3)


def test_the_network_is_passed_once_a_step():
    denoiser = with_answers(0.0, 0.0, 0.0)
    sample(denoiser, [0, 1, 1], [1, 2, 3], steps=7, guidance=1.0)
    assert denoiser.unet.asked == 7


@pytest.mark.parametrize("alone", [0, 2])
def test_an_image_depends_on_its_own_seed_alone(alone):
    torch.manual_seed(0)
    denoiser = Denoiser(SHAPE).eval()
    labels, seeds = [0, 1, 1], [11, 12, 13]
    together = sample(denoiser, labels, seeds, steps=5, guidance=1.0)
    found = sample(denoiser, [labels[alone]], [seeds[alone]], steps=5, guidance=1.0)
    assert torch.allclose(found[0], together[alone], atol=1e-4)


def test_pixels_are_rounded_and_cut_off():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0, 1.5])
    assert as_pixels(images).tolist() == [0, 0, 128, 255, 255]
