"""Colours that read on both pages, and that are not alone in what they say."""

import pytest

from oodkit.report.pictures.palette import DARK_PAGE, GROUPS, ID, RECIPES, SCORERS, SYNTHETIC


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.2, contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # the well-known lightest grey for text on white


@pytest.mark.parametrize("page", ["#ffffff", DARK_PAGE])
@pytest.mark.parametrize("colour", [ID, SYNTHETIC, *GROUPS.values(), *(colour for colour, _ in SCORERS), *RECIPES])
def test_every_colour_reads_on_both_pages(colour, page):
    """WCAG 2.2, 1.4.11: graphics need 3:1."""
    assert contrast(colour, page) >= 3


def test_scorers_differ_in_colour_and_in_line():
    colours, dashes = zip(*SCORERS, strict=True)
    assert len(set(colours)) == len(set(dashes)) == 5
    assert len({ID, SYNTHETIC, *GROUPS.values()}) == 4
    assert len(set(RECIPES)) == len(RECIPES)
