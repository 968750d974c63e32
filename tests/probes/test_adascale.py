"""The perturbed features on a linear network, whose features are its pixels and whose gradient ∂z_ŷ/∂x is a row of W."""

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.probes.adascale import AdaScaleProbe


def test_by_hand(linear):
    """x = 0 and b = (0, 1, 0, 0), so ŷ = 1 and g = w₁ = (6, −1, 0.5, 0, 9, 8, −7, 5, −4, 3, −2, 10).

    A share of 0.4 of 12 values is 4.8, so 4: those of |g| 0, 0.5, 1 and 2. Each moves by 0.5 along its sign, that of 0 stays.
    """
    linear.net.fc.bias.data = torch.tensor([0.0, 1, 0, 0])
    linear.net.fc.weight.data[1] = torch.tensor([6.0, -1, 0.5, 0, 9, 8, -7, 5, -4, 3, -2, 10])
    found = AdaScaleProbe(share=0.4).run(linear, torch.zeros(1, 3, 2, 2))
    assert found.tolist() == [[0, -0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, -0.5, 0]]


@pytest.mark.parametrize("share", [0.05, 0.25, 1.0])
def test_against_a_loop_over_images(share, linear, pixels):
    expected = pixels.flatten(1).clone()
    for row, label in zip(expected, linear.net(pixels).argmax(1), strict=True):
        slope = linear.net.fc.weight[label]
        lowest = sorted(range(12), key=lambda one: slope[one].abs())[: int(12 * share)]
        row[lowest] += 0.5 * slope[lowest].sign()
    torch.testing.assert_close(AdaScaleProbe(share).run(linear, pixels), expected)


def test_channels_last_pixels_give_the_same(linear, pixels):
    plain = AdaScaleProbe(share=0.25).run(linear, pixels)
    assert torch.equal(AdaScaleProbe(share=0.25).run(linear, pixels.contiguous(memory_format=torch.channels_last)), plain)


@pytest.mark.parametrize("settings", [{"share": 0}, {"share": 1.5}, {"step": -0.5}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(UsageError, match="the probe adascale expects a s"):
        AdaScaleProbe(**settings)
