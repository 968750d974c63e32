"""The average of the weights against arithmetic, and its rule against the one that torchvision publishes."""

import pytest
import torch

from oodkit.training.averaging import Average

from .toy_run import toy_learner


def with_weights(learner, value):
    with torch.no_grad():
        for tensor in [*learner.net.parameters(), learner.net.norm.running_mean]:
            tensor.fill_(value)
    return learner


def test_on_imagenet_it_is_torchvisions_rule():
    """1 − min(1, (1 − 0.99998) · world · batch · steps / epochs) every 32 steps: 600 epochs of 8 · 128 images."""
    average = Average(toy_learner(), total_steps=round(600 * 1_281_167 / 1024))
    assert average.every == 32
    assert 1 - average.decay == pytest.approx((1 - 0.99998) * 8 * 128 * 32 / 600, rel=1e-5)


@pytest.mark.parametrize(("steps", "every"), [(39_100, 32), (3_000, 29), (300, 2), (10, 1)])
def test_the_window_is_the_same_part_of_any_training(steps, every):
    """25.6 windows a training, so that nothing of the first weights is left at its end."""
    average = Average(toy_learner(), total_steps=steps)
    assert average.every == every
    assert 1 - average.decay == pytest.approx(min(1, 25.62 * every / steps), rel=1e-3)
    assert average.decay ** (steps / every) < 1e-10


def test_weights_and_running_statistics_are_averaged_every_so_many_steps():
    learner = toy_learner()
    average = Average(learner, total_steps=400)
    rate = 1 - average.decay
    assert (average.every, rate) == (3, pytest.approx(3 * 25.62334 / 400))
    expected = None
    for step in range(13):
        average.update(with_weights(learner, float(step)), step)
        if step % 3 == 0:
            expected = float(step) if expected is None else expected + rate * (step - expected)
        for tensor in (average.learner.net.head.weight, average.learner.net.norm.running_mean):
            torch.testing.assert_close(tensor, torch.full_like(tensor, expected))


def test_while_the_learning_rate_rises_the_weights_are_copied():
    learner = toy_learner()
    average = Average(learner, total_steps=500, warmup_steps=9)
    assert average.every == 4
    for step in (0, 4, 8):
        average.update(with_weights(learner, float(step)), step)
        assert float(average.learner.net.head.bias.detach()[0]) == step
    average.update(with_weights(learner, 12.0), 12)
    assert float(average.learner.net.head.bias.detach()[0]) == pytest.approx(8 + 4 * (1 - average.decay))


def test_it_is_a_copy_in_evaluation_mode_that_shares_nothing():
    learner = toy_learner()
    average = Average(learner, total_steps=100).learner
    assert not average.training
    with_weights(learner, 5.0)
    assert not (average.net.head.weight == 5.0).any()
