"""The learning rate against arithmetic, and against torch's own scheduler for OpenOOD's rule."""

import math

import pytest
import torch

from oodkit.training.schedule import lr_at


def test_half_a_cosine_from_the_largest_to_a_millionth():
    assert lr_at(0, 1000, 0.1) == pytest.approx(0.1)
    assert lr_at(500, 1000, 0.1) == pytest.approx((0.1 + 1e-6) / 2)
    assert lr_at(250, 1000, 0.1) == pytest.approx(1e-6 + (0.1 - 1e-6) * (1 + math.sqrt(0.5)) / 2)
    assert lr_at(1000, 1000, 0.1) == pytest.approx(1e-6)


def test_it_is_openoods_lambda_rule_step_for_step():
    """trainers/base_trainer.py: LambdaLR by lr_min + (lr_max − lr_min) (1 + cos(step / total · π)) / 2, of 1 and 1e-6 / lr."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    rule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 1e-6 / 0.1 + (1 - 1e-6 / 0.1) * 0.5 * (1 + math.cos(step / 40 * math.pi))
    )
    for step in range(40):
        assert lr_at(step, 40, 0.1) == pytest.approx(rule.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        rule.step()


def test_a_linear_rise_then_the_cosine_over_what_is_left():
    rates = [lr_at(step, 20, 0.8, warmup_steps=4) for step in range(20)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert rates[12] == pytest.approx((0.8 + 1e-6) / 2)
    assert rates[4:] == [lr_at(step, 16, 0.8) for step in range(16)]
