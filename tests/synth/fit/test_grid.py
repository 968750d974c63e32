"""The picture of a fit is one that a person can read: whole pixels, large enough, and each image by itself."""

import numpy as np
import pytest
import torch

from oodkit.synth.fit.grid import GAP, _tiled


@pytest.mark.parametrize(("side", "shown"), [(8, 48), (28, 56), (32, 64), (48, 48), (64, 64)])
def test_small_images_are_enlarged_by_a_whole_factor_with_a_gap_between_them(side, shown):
    images = torch.randint(0, 200, (6, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    picture, step = _tiled(images, rows=2), shown + GAP
    assert picture.shape == (2 * step + GAP, 3 * step + GAP, 3)
    covered = np.zeros(picture.shape[:2], bool)
    for index, image in enumerate(images):
        top, left = GAP + step * (index // 3), GAP + step * (index % 3)
        tile = picture[top : top + shown, left : left + shown]
        expected = image.permute(1, 2, 0).numpy().repeat(shown // side, 0).repeat(shown // side, 1)
        assert np.array_equal(tile, expected)
        covered[top : top + shown, left : left + shown] = True
    assert (picture[~covered] == 255).all()
