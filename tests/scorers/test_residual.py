import numpy as np
import pytest
import torch

from oodkit import moments
from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


@pytest.mark.parametrize("dim", [1, 16, 31])
def test_against_the_papers_formula_with_the_residual_basis_itself(dim, toy):
    train, test = (one.features.double().numpy() for one in (toy.train, toy.test))
    weight, bias = toy.head.weight.double().numpy(), toy.head.bias.double().numpy()
    origin = -np.linalg.pinv(weight) @ bias
    _, vectors = np.linalg.eigh((train - origin).T @ (train - origin) / len(train))
    expected = -np.linalg.norm((test - origin) @ vectors[:, : 32 - dim], axis=1)
    scorer = make_scorer("residual", dim=dim, fits_on="train").fit(toy.train)
    np.testing.assert_allclose(scorer.score(toy.test), expected, rtol=1e-6, atol=1e-6)


def test_by_hand():
    """Without a bias u = 0. The images lie along the first axis, so (3, 4) is 4 outside one dimension."""
    train = Outputs(torch.tensor([[2.0, 0], [-2, 0.5], [4, -0.5], [-4, 0]]), head=Head(torch.eye(2), torch.zeros(2)))
    scorer = make_scorer("residual", dim=1, fits_on="train").fit(train)
    (axis,) = scorer.state["principal"].mT
    assert abs(axis[0].item()) == pytest.approx(1, abs=0.01)
    across = torch.stack([-axis[1], axis[0]])
    (score,) = scorer.score(Outputs((3 * axis + 4 * across).float()[None], head=train.head))
    assert score.item() == pytest.approx(-4)


def wide(features, images):
    generator = torch.Generator().manual_seed(0)
    head = Head(torch.randn(3, features, generator=generator), torch.zeros(3))
    return Outputs(torch.randn(images, features, generator=generator), torch.arange(images) % 3, head=head)


@pytest.mark.parametrize(("preset", "features", "dim"), [("openood", 513, 512), ("openood", 512, 256), ("openood", 9, 4),
                                                         ("paper", 100, 50), ("paper", 800, 512)])  # fmt: skip
def test_the_number_of_dimensions_goes_by_the_preset_and_the_features_and_is_reported(preset, features, dim):
    """OpenOOD's 512 of 512 features would leave nothing."""
    scorer = make_scorer("residual", preset).fit(wide(features, images=dim + 20))
    assert scorer.settings() == {"dim": dim, "fits_on": {"openood": "val", "paper": "train"}[preset]}


def test_a_dim_that_leaves_no_residual_is_a_reason(toy):
    with pytest.raises(NotApplicableError, match="residual takes a dim below the 32 features of this network, got 32"):
        make_scorer("residual", dim=32).fit(toy.val)


def test_fewer_images_than_dimensions_leave_nothing_and_are_a_reason(toy):
    with pytest.raises(NotApplicableError, match="residual finds nothing of the features to learn from outside 16 dimensions"):
        make_scorer("residual").fit(toy.val.subset(torch.arange(16)))


def test_a_grid_over_dim_makes_one_decomposition_and_shares_it_with_vim(toy, monkeypatch):
    made, original = [], moments.Moments.eigenpairs
    monkeypatch.setattr(moments.Moments, "eigenpairs", lambda *arguments: made.append(1) or original(*arguments))
    for dim in (4, 8, 16):
        make_scorer("residual", dim=dim, fits_on="train").fit(toy.train)
        make_scorer("vim", dim=dim).fit(toy.train)
    assert made == [1]


def test_another_head_has_another_origin(toy):
    """The same images under a head that was repaired: nothing of the first head's origin is left."""
    other = toy.train.with_head(Head(toy.head.weight, toy.head.bias + 5))
    first, second = (make_scorer("residual", fits_on="train").fit(one).state["origin"] for one in (toy.train, other))
    assert not torch.allclose(first, second)
