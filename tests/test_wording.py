"""Numbers in sentences, and names from outside."""

import pytest

from oodkit.wording import counted, decimal, first_line, gib, in_short, number, p_told, p_value, percent, printable, signed, size


def test_numbers_have_true_minus_signs_and_percent_a_space():
    assert [decimal(-0.125, 2), decimal(3, 1)] == ["−0.12", "3.0"]
    assert [signed(value, 2) for value in (-0.79, 0.03, 0.0)] == ["−0.79", "+0.03", "+0.00"]
    assert [decimal(-0.0004, 3), decimal(-0.0, 1), signed(-0.0004, 2)] == ["0.000", "0.0", "+0.00"]
    assert [percent(0.896), percent(0.75, 0), percent(-0.5)] == ["89.6 %", "75 %", "−50.0 %"]


def test_fractions_become_percent_points_or_a_dash():
    assert [number(0.89617), number(None), number(-0.0036, 1, sign=True), number(0.2, 3, 1)] == ["89.62", "–", "−0.4", "0.200"]


def test_one_is_no_plural():
    assert [counted(count, "class", "classes") for count in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]


def test_bytes_are_told_in_megabytes_and_from_a_thousand_on_in_gigabytes():
    assert [size(count) for count in (0, 250_000, 999_000_000, 10**9, 12_500_000_000)] == [
        "0.0 MB", "0.2 MB", "999.0 MB", "1.0 GB", "12.5 GB",
    ]  # fmt: skip


def test_memory_is_told_in_powers_of_two():
    assert [gib(count) for count in (2**32, 1_281_167 * 2048 * 4)] == ["4 GiB", "9.77 GiB"]


def test_of_an_error_of_many_lines_the_first_is_told_and_of_one_without_words_its_type():
    told = [first_line(error) for error in (RuntimeError("\nCUDA error\x1b\nfor debugging"), AssertionError(), ImportError(" \n"))]
    assert told == [r"CUDA error\x1b", "AssertionError", "ImportError"]


def test_a_tiny_p_is_said_to_be_small():
    assert [p_value(p) for p in (9.2e-25, 0.0581, 0.5)] == ["< 0.0001", "0.0581", "0.50"]
    assert [p_told(9.2e-25, "≤"), p_told(0.0581, "≤"), p_told(0.5)] == ["p < 0.0001", "p ≤ 0.0581", "p = 0.50"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("žluť 漢 🙂 a\u00a0b", "žluť 漢 🙂 a\u00a0b"),
        ("a\tb\x7f\u2028", r"a\tb\x7f\u2028"),
        ("\x1b[31m\udcff", r"\x1b[31m\udcff"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("عربي", "عربي"),
    ],
)
def test_of_a_name_only_what_does_something_is_spelled(text, expected):
    assert printable(text) == expected


def test_no_mark_can_turn_what_follows():
    """Those that Unicode calls Bidi_Control, UAX #9."""
    marks = ["\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
    assert printable("".join(marks)) == "".join(f"\\u{ord(mark):04x}" for mark in marks)


def test_what_is_quoted_is_one_printable_line_and_cut():
    assert in_short(ValueError("two\n  lines\x1b")) == r"two lines\x1b"
    assert [len(in_short("a" * 1000)), in_short(["ab"], 4)] == [300, "['ab"]
