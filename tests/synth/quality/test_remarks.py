"""What is said of how many images are compared."""

import numpy as np
import pytest

from oodkit.synth.quality.remarks import of_choice, of_unreadable

WHY = "as many of each class as every set has (half of the real images are 900, few has"


@pytest.mark.parametrize(
    ("n", "asked", "most", "has", "said"),
    [
        (900, None, 10_000, 2000, []),  # all that there is
        (500, 500, 500, 2000, []),  # as asked for
        (900, None, 900, 2000, []),  # the most, and all that there is
        (600, None, 600, 2000, ["600 images of each set are compared, of 900; a larger count takes time by its square"]),
        (40, None, 10_000, 50, [f"40 images of each set are compared: {WHY} 50)"]),
        (900, 1000, 1000, 950, [f"900 images of each set are compared, not 1000: {WHY} 950)"]),
    ],
)
def test_it_is_said_what_limits_the_comparison_where_something_does(n, asked, most, has, said):
    assert of_choice(n, asked, most, 900, {"many": np.array([3000]), "few": np.array([has - 10, 10])}) == said


def test_images_that_could_not_be_read_are_counted_one_as_one():
    assert of_unreadable({"made": 1, "whole": 0, "\x1b": 2}) == [
        "1 image of made could not be read and is left out",
        r"2 images of \x1b could not be read and are left out",
    ]
