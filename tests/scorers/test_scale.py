import math

import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def score_of(features, head, **settings):
    return make_scorer("scale", **settings).score(Outputs(torch.tensor([features]), head=head)).item()


def test_by_hand():
    """f = (4, 1, 3, 0), P = 50: k = 4 − round(2) = 2, s₁ = 8, s₂ = 7. W has the rows (1, 0, 0, 0) and (0, 1, 1, 1), b = (0, 1).

    Nothing is pruned: lse(4e^(8/7), (1 + 3)e^(8/7) + 1).
    """
    head = Head(torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 1]]), torch.tensor([0.0, 1.0]))
    expected = 4 * math.exp(8 / 7) + math.log(1 + math.e)
    assert score_of([4.0, 1, 3, 0], head, percentile=50) == pytest.approx(expected)


@pytest.mark.parametrize("percentile", [0, 65, 85, 98])
def test_without_a_matrix_product_it_is_what_it_is_with_one(percentile, toy):
    features, weight, bias = (one.double() for one in (toy.test.features, toy.head.weight, toy.head.bias))
    kept = features.sort(1, descending=True).values[:, : max(32 - round(32 * percentile / 100), 1)]
    scaled = features * (features.sum(1) / kept.sum(1)).exp()[:, None]
    expected = (scaled @ weight.mT + bias).logsumexp(1)
    torch.testing.assert_close(make_scorer("scale", percentile=percentile).score(toy.test), expected, rtol=1e-5, atol=1e-5)


def test_half_rounds_to_even():
    """D = 10: P = 65 prunes round(6.5) = 6 entries and P = 75 round(7.5) = 8, so with ten ones s₁/s₂ is 10/4 and 10/2."""
    head = Head(torch.ones(1, 10), torch.zeros(1))
    assert score_of([1.0] * 10, head, percentile=65) == pytest.approx(10 * math.exp(2.5))
    assert score_of([1.0] * 10, head, percentile=75) == pytest.approx(10 * math.exp(5))


HEAD = Head(torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1]]), torch.tensor([0.0, 1.0]))


def test_a_row_of_zeros_scores_as_the_bias():
    assert score_of([0.0] * 4, HEAD) == pytest.approx(math.log(1 + math.e))


def test_largest_entries_that_add_up_to_nothing_leave_a_row_as_it_is():
    """P = 75 keeps one entry, here 0; the row's logits are −3 and 3 + 1."""
    assert score_of([0.0, -1, -1, -1], HEAD, percentile=75) == pytest.approx(4 + math.log1p(math.exp(-7)))


@pytest.mark.parametrize("name", ["scale", "ash-s"])
@pytest.mark.parametrize("row", [[-1e-30, -1, -1, -1], [1e-30, -1, -1, -1], [1e-30, 0, 0, 0], [3e38, 1e38, 1e38, 1e38]])
def test_sums_that_nearly_cancel_give_finite_scores(name, row):
    """s₁/s₂ reaches ±3·10³⁰, far beyond what exp can take."""
    outputs = Outputs(torch.tensor([row]), head=HEAD, logits=torch.tensor([[-1e4, 1e4]]))
    assert make_scorer(name, percentile=75).score(outputs).isfinite().all()


def test_many_features_and_few_kept_give_finite_scores():
    """With k = 1 of D = 2048 equal entries s₁/s₂ = 2048, and e^2048 is no float64."""
    outputs = Outputs(torch.ones(2, 2048), head=Head(torch.ones(2, 2048), torch.zeros(2)))
    assert make_scorer("scale", percentile=99.99).score(outputs).isfinite().all()


def test_negative_features_are_cautioned_against(toy):
    assert make_scorer("scale").caution(toy.test) is None
    assert "scale assumes features that are never negative" in make_scorer("scale").caution(
        Outputs(toy.test.features - 0.01, head=toy.head)
    )


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="scale needs the head"):
        make_scorer("scale").score(Outputs(toy.test.features, logits=toy.test.logits))


def test_impossible_settings():
    with pytest.raises(UsageError, match="scale expects a percentile of at least 0 and below 100, got percentile=100"):
        make_scorer("scale", percentile=100)


def test_all_that_assume_features_above_zero_look_at_the_images_once(toy, monkeypatch):
    looks, original = [], Outputs.chunks
    monkeypatch.setattr(Outputs, "chunks", lambda self, *rest: looks.append(1) or original(self, *rest))
    assert {make_scorer(name).caution(toy.test) for name in ("ash-b", "ash-p", "ash-s", "scale", "vra", "adascale-a")} == {None}
    assert looks == [1]
