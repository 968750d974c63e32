"""Numbers in sentences."""

from oodkit.wording import decimal, p_value, percent, signed


def test_numbers_have_true_minus_signs_and_percent_a_space():
    assert [decimal(-0.125, 2), decimal(3, 1)] == ["−0.12", "3.0"]
    assert [signed(value, 2) for value in (-0.79, 0.03, 0.0)] == ["−0.79", "+0.03", "+0.00"]
    assert [percent(0.896), percent(0.75, 0), percent(-0.5)] == ["89.6 %", "75 %", "−50.0 %"]


def test_a_tiny_p_is_said_to_be_small():
    assert [p_value(p) for p in (9.2e-25, 0.0581, 0.5)] == ["< 0.0001", "0.0581", "0.50"]
