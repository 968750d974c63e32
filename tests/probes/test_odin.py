"""The perturbation on a linear network: z = W x + b, so ∂CE(z/T, ŷ)/∂x = Wᵀ(p − e_ŷ)/T with p = softmax(z/T)."""

import pytest
import torch

from oodkit.errors import UnsupportedModelError, UsageError
from oodkit.probes.odin import OdinProbe


def by_hand(model, pixels, temperature, noise):
    weight, bias = model.net.fc.weight.double(), model.net.fc.bias.double()
    flat = pixels.flatten(1).double()
    logits = flat @ weight.T + bias
    error = (logits / temperature).softmax(1) - torch.nn.functional.one_hot(logits.argmax(1), 4)
    signs = torch.where(error @ weight / temperature >= 0, 1.0, -1.0)
    std = torch.tensor(model.preprocessing["std"]).double().repeat_interleave(4)
    return (flat - noise * signs / std) @ weight.T + bias


@pytest.mark.parametrize("temperature", [1, 10, 1000])
@pytest.mark.parametrize("noise", [0.0014, 0.3])
def test_against_the_gradient_in_closed_form(temperature, noise, linear, pixels):
    found = OdinProbe(temperature, noise).run(linear, pixels)
    torch.testing.assert_close(found.double(), by_hand(linear, pixels, temperature, noise), rtol=1e-5, atol=1e-5)


def test_one_image_by_hand(linear):
    """Two classes, one pixel of three channels: W = (1, −2, 0; 0, 0, 0), b = 0, x = (1, 0, 0), so z = (1, 0) and ŷ = 0.

    p − e_ŷ = (−q, q) with q > 0, so the slope is (−q, 2q, 0): signs −, +, and + for the 0. std = (0.5, 0.25, 0.2), noise 0.1:
    x′ = (1 + 0.1/0.5, −0.1/0.25, −0.1/0.2) = (1.2, −0.4, −0.5), and z′ = (1.2 + 0.8, 0).
    """
    linear.net.fc.weight.data = torch.tensor([[1.0, -2, 0], [0, 0, 0]])
    linear.net.fc.bias.data = torch.zeros(2)
    found = OdinProbe(temperature=7, noise=0.1).run(linear, torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
    torch.testing.assert_close(found, torch.tensor([[2.0, 0]]))


def test_without_noise_the_logits_are_the_plain_ones(linear, pixels):
    """oodeel fails at a noise of 0."""
    assert torch.equal(OdinProbe(noise=0).run(linear, pixels), linear.net(pixels))


def test_a_confident_image_keeps_its_slope(linear, pixels):
    """With logits 10,000 apart p_ŷ rounds to 1 in any precision, and p − e_ŷ to 0, whose sign would be + everywhere."""
    linear.net.fc.weight.data *= 1e4
    scale = linear.net.fc.weight.abs().max()
    found = OdinProbe(temperature=1, noise=0.3).run(linear, pixels)
    others = (linear.net(pixels).double()).scatter(1, linear.net(pixels).argmax(1, keepdim=True), -torch.inf).softmax(1)
    towards = others.scatter(1, linear.net(pixels).argmax(1, keepdim=True), -1.0)
    signs = torch.where(towards @ linear.net.fc.weight.double() >= 0, 1.0, -1.0)
    std = torch.tensor(linear.preprocessing["std"]).repeat_interleave(4)
    expected = linear.net((pixels.flatten(1) - 0.3 * signs.float() / std).view_as(pixels))
    assert not (signs == 1).all()
    torch.testing.assert_close(found / scale, expected / scale)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_the_slope_is_taken_in_float32_under_autocast_too(half, linear, pixels):
    """At 1e-7 of its size every gradient of this network would be 0 in float16, and its sign +."""
    linear.net.fc.weight.data *= 1e-7
    seen = []
    linear.net.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0]))
    OdinProbe(noise=0.3).run(linear, pixels)
    with torch.autocast("cpu", half):
        OdinProbe(noise=0.3).run(linear, pixels)
    plain, perturbed, plain_again, perturbed_again = seen
    assert torch.equal(plain, plain_again)
    assert torch.equal(perturbed, perturbed_again)
    assert (perturbed > plain).any()


def test_pixels_stay_as_they_were_even_if_the_network_changes_its_input(linear, pixels):
    forward = linear.net.forward
    expected = OdinProbe(noise=0).run(linear, 2 * pixels)
    linear.net.forward = lambda given: forward(given.mul_(2))
    before = pixels.clone()
    torch.testing.assert_close(OdinProbe(noise=0).run(linear, pixels), expected)
    assert torch.equal(pixels, before)


def test_without_std_it_says_what_to_give(linear, pixels):
    linear.preprocessing = {}
    with pytest.raises(UnsupportedModelError, match=r"names no std, .*; give --mean and --std"):
        OdinProbe().run(linear, pixels)


def test_a_network_without_gradient_says_so(linear, pixels):
    linear.net.forward = torch.no_grad()(linear.net.forward)
    with pytest.raises(UnsupportedModelError, match=r"no gradient reaches the pixels; .* without no_grad"):
        OdinProbe().run(linear, pixels)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"noise": -1}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(UsageError, match="the probe odin expects a "):
        OdinProbe(**settings)
