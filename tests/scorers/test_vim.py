import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


@pytest.mark.parametrize("dim", [1, 16, 31])
def test_against_the_papers_formula_with_the_residual_basis_itself(dim, toy):
    outputs = [Outputs(one.features.double(), head=toy.head) for one in (toy.train, toy.test)]
    train, test = (one.features.numpy() for one in outputs)
    weight, bias = toy.head.weight.double().numpy(), toy.head.bias.double().numpy()
    origin = -np.linalg.pinv(weight) @ bias
    _, vectors = np.linalg.eigh((train - origin).T @ (train - origin) / len(train))
    residual = vectors[:, : 32 - dim]
    scale = (train @ weight.T + bias).max(1).mean() / np.linalg.norm((train - origin) @ residual, axis=1).mean()
    energy = np.logaddexp.reduce(test @ weight.T + bias, axis=1)
    expected = energy - scale * np.linalg.norm((test - origin) @ residual, axis=1)
    np.testing.assert_allclose(make_scorer("vim", dim=dim).fit(outputs[0]).score(outputs[1]), expected, rtol=1e-9, atol=1e-5)


def wide(features, images=40):
    generator = torch.Generator().manual_seed(0)
    head = Head(torch.randn(3, features, generator=generator), torch.zeros(3))
    return Outputs(torch.randn(images, features, generator=generator), torch.arange(images) % 3, head=head)


@pytest.mark.parametrize(("preset", "features", "dim"), [("openood", 300, 256), ("openood", 257, 256), ("openood", 256, 128),
                                                         ("openood", 9, 4), ("paper", 100, 50), ("paper", 800, 512)])  # fmt: skip
def test_the_number_of_dimensions_goes_by_the_preset_and_the_features_and_is_reported(preset, features, dim):
    scorer = make_scorer("vim", preset).fit(wide(features, images=dim + 20))
    assert scorer.settings() == {"dim": dim}


@pytest.mark.parametrize("dim", [32, 33, 1000])
def test_an_explicit_dim_that_leaves_no_residual_is_a_reason(dim, toy):
    """Another model of the same run may be wide enough, so it stops nothing."""
    with pytest.raises(NotApplicableError, match=f"vim takes a dim below the 32 features of this network, got {dim}"):
        make_scorer("vim", dim=dim).fit(toy.train)


@pytest.mark.parametrize("name", ["vim", "residual"])
@pytest.mark.parametrize("dim", [None, "paper", 1])
def test_a_single_feature_has_no_principal_space_and_is_a_reason(name, dim):
    with pytest.raises(NotApplicableError, match=f"{name} needs a dim from 1 to below the number of features, .* has 1"):
        make_scorer(name, dim=dim).fit(wide(1))


def test_fewer_images_than_dimensions_leave_nothing_and_are_a_reason(toy):
    with pytest.raises(
        NotApplicableError,
        match="vim finds nothing of the features to learn from outside 16 dimensions; give more images or a smaller dim",
    ):
        make_scorer("vim").fit(toy.train.subset(torch.arange(10)))


def test_a_head_without_bias_puts_the_origin_at_zero():
    assert not make_scorer("vim").fit(wide(20)).state["origin"].any()
