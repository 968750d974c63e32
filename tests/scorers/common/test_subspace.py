"""The point about which ViM's principal space lies."""

import numpy as np
import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers.common.subspace import origin


def of_head(classes, features, rank=None):
    """Outputs of a random head; rank: of its weight, full where it is left out."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(classes, features, generator=generator, dtype=torch.float64)
    if rank is not None:
        weight = weight[:, :rank] @ torch.randn(rank, features, generator=generator, dtype=torch.float64)
    return Outputs(torch.ones(1, features), head=Head(weight, torch.randn(classes, generator=generator, dtype=torch.float64)))


@pytest.mark.parametrize(("classes", "features", "rank"), [(5, 30, None), (30, 5, None), (7, 7, None), (30, 9, 4), (9, 30, 4)])
def test_it_is_the_pseudo_inverse_of_the_weight_times_the_bias(classes, features, rank):
    outputs = of_head(classes, features, rank)
    expected = -np.linalg.pinv(outputs.head.weight.numpy(), rcond=1e-9) @ outputs.head.bias.numpy()
    np.testing.assert_allclose(origin(outputs), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("classes", "features"), [(60, 5), (5, 60)])
def test_of_more_classes_than_features_no_matrix_of_classes_is_made(classes, features, made):
    """Of ImageNet-21k's 21,841 its decomposition takes hours, and that of 768 features a fraction of a second."""
    outputs = of_head(classes, features)
    with made:
        origin(outputs)
    assert made.of_at_least(60 * 60) == []
