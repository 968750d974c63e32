import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, fdbd, make_scorer

HEAD = Head(torch.tensor([[3.0, 0], [0, 4], [0, 0]]), torch.zeros(3))
TRAIN = Outputs(torch.tensor([[0.0, 0], [2, 2]]), head=HEAD)


@pytest.mark.parametrize(("normaliser", "length"), [("distance", 13**0.5), ("norm", 5)])
def test_distances_to_the_other_classes_by_hand(normaliser, length):
    """f = (4, 3), μ = (1, 1): logits 12, 12 + ε, 0. Class 1 is 5 from class 0 and 4 from class 2: 0/5 + 12/4 = 3."""
    scorer = make_scorer("fdbd", normaliser=normaliser).fit(TRAIN)
    assert scorer.score(Outputs(torch.tensor([[4.0, 3.000001]]), head=HEAD)).item() == pytest.approx(3 / length, rel=1e-5)


@pytest.mark.parametrize("normaliser", ["distance", "norm"])
def test_the_formula_written_out(normaliser, toy):
    weight, features = toy.head.weight.double().numpy(), toy.test.features.double().numpy()
    logits, predicted = toy.test.logits.double().numpy(), toy.test.predictions().numpy()
    mean = toy.train.features.double().numpy().mean(0) if normaliser == "distance" else 0
    expected = []
    for f, z, y in zip(features, logits, predicted, strict=True):
        total = sum((z[y] - z[c]) / np.linalg.norm(weight[y] - weight[c]) for c in range(4) if c != y)
        expected.append(total / np.linalg.norm(f - mean))
    found = make_scorer("fdbd", normaliser=normaliser).fit(toy.train).score(toy.test)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_classes_with_the_same_weights_have_no_boundary_between_them():
    """Class 1 is class 0 with another bias, and adds nothing: 3/3 for the boundary to class 2, over ‖f − μ‖ = 1."""
    head = Head(torch.tensor([[3.0, 0], [3, 0], [0, 0]]), torch.tensor([0.0, -5, 0]))
    scorer = make_scorer("fdbd").fit(Outputs(torch.tensor([[1.0, 1]]), head=head))
    assert scorer.score(Outputs(torch.tensor([[1.0, 0]]), head=head)).item() == pytest.approx(1)


def test_weights_that_differ_by_rounding_count_as_the_same():
    """One float32 step apart in one entry of 2048: their boundary lies nowhere that means anything."""
    row = torch.randn(2048, generator=torch.Generator().manual_seed(0))
    other = row.clone()
    other[7] = torch.nextafter(row[7], torch.tensor(9.0))
    state = make_scorer("fdbd").fit(Outputs(row[None], head=Head(torch.stack([row, other, -row]), torch.zeros(3)))).state
    assert state["inverse"][0, 1] == state["inverse"][1, 0] == 0
    assert state["inverse"][0, 2].item() == pytest.approx(1 / (2 * row.double().norm().item()))


def test_of_many_classes_one_matrix_of_their_distances_is_made(made, monkeypatch):
    """ImageNet-21k's is 3.6 GiB: it is filled some rows at a time."""
    monkeypatch.setattr(fdbd, "ROWS", 8)
    weight = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    outputs = Outputs(torch.ones(1, 5), head=Head(weight, torch.zeros(60)))
    with made:
        inverse = make_scorer("fdbd").fit(outputs).state["inverse"]
    assert made.of_at_least(60 * 60) == ["aten.new_empty.default"]
    expected = torch.cdist(weight.double(), weight.double()).fill_diagonal_(torch.inf).reciprocal()
    torch.testing.assert_close(inverse, expected, rtol=1e-9, atol=1e-9)


def test_an_image_at_the_mean_and_one_without_features_score_lowest():
    """(1, 1) has logits 3, 4, 0 but no distance from μ; zeros have no length."""
    images = Outputs(torch.tensor([[1.0, 1], [0, 0], [4, 3]]), head=HEAD)
    distance, norm = (make_scorer("fdbd", normaliser=one).fit(TRAIN).score(images).tolist() for one in ("distance", "norm"))
    assert distance[0] == norm[1] == 0
    assert norm[0] == pytest.approx((1 / 5 + 1) / 2**0.5)
    assert min(distance[2], norm[2]) > 0


def test_settings():
    assert make_scorer("fdbd").settings() == {"normaliser": "distance"}
    assert SCORERS["fdbd"].grid == {"normaliser": ("distance", "norm")}
    with pytest.raises(UsageError, match="fdbd:normaliser takes distance or norm, got 'l1'"):
        make_scorer("fdbd", normaliser="l1")


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="fdbd needs the head"):
        make_scorer("fdbd").fit(Outputs(toy.train.features, logits=toy.train.logits))
