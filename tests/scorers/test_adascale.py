"""Both variants by hand, and against the paper's algorithm written out for one row at a time."""

import math

import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import adascale as module
from oodkit.scorers import make_scorer, parse_scorer
from oodkit.tuning import candidates

SPEC = "adascale:share=0.05,step=0.5"


def with_perturbed(outputs, perturbed):
    return outputs.with_extras([{"indices": outputs.indices, SPEC: perturbed}])


def lse(values):
    return math.log(sum(math.exp(value) for value in values))


HEAD = Head(torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 1]]), torch.tensor([0.0, 1.0]))


def test_by_hand():
    """D = 4, so 1 % and 5 % are one entry each. f = (4, 1, 3, 0); f′ = (3.9, 1, 3, 0): Q = 10 · 0.1 + 3.9 = 4.9.

    Of the four validation images with f = (4, 1, 3, 0) and f′ = (4, 0, 0, 0), (3.95, …), (3.9, …), (3.8, …) the Q are 4, 4.45, 4.9
    and 5.8: F = 3/4. With low = 0 and high = 99, P = 99/4 = 24.75 and k = 4 − round(0.99) = 3: 4, 3 and 1 are all there is, so
    r = 1. z = (4, 4). A: lse(4e, 3e + 1); L: lse(4, 4).
    With low = 40, P = 40 + 59/4 = 54.75, k = 4 − round(2.19) = 2, r = 8/7.
    """
    features = torch.tensor([[4.0, 1, 3, 0]])
    moved = torch.zeros(4, 4)
    moved[:, 0] = torch.tensor([4, 3.95, 3.9, 3.8], dtype=torch.float64)
    val = with_perturbed(Outputs(features.repeat(4, 1), head=HEAD), moved)
    test = with_perturbed(Outputs(features, head=HEAD), torch.tensor([[3.9, 1, 3, 0]]))
    for low, ratio in ((0.0, 1.0), (40.0, 8 / 7)):
        scorers = [make_scorer(name, low=low, high=99.0).fit(val) for name in ("adascale-a", "adascale-l")]
        assert scorers[0].state["shifts"].tolist() == pytest.approx([4, 4.45, 4.9, 5.8], abs=1e-5)
        expected = [lse([4 * math.exp(ratio), 3 * math.exp(ratio) + 1]), lse([4 * ratio**2, 4 * ratio**2])]
        assert [one.score(test).item() for one in scorers] == pytest.approx(expected, rel=1e-6)


def written_out(val, test, head, low, high, weight):
    def shift(f, moved):
        order = np.argsort(-f, kind="stable")
        first, more = order[: max(len(f) // 100, 1)], order[: max(len(f) * 5 // 100, 1)]
        return weight * np.abs(f - moved)[first].sum() + np.maximum(moved, 0)[more].sum()

    known = np.array([shift(*pair) for pair in zip(*val, strict=True)])
    scores = {"adascale-a": [], "adascale-l": []}
    for f, moved in zip(*test, strict=True):
        percentile = low + (1 - np.mean(known <= shift(f, moved))) * (high - low)
        positive = np.maximum(f, 0)
        kept = len(f) - round(len(f) * percentile / 100)
        ratio = positive.sum() / np.sort(positive)[::-1][:kept].sum()
        weights, bias = head
        scores["adascale-a"].append(np.logaddexp.reduce(weights @ (np.exp(ratio) * f) + bias))
        scores["adascale-l"].append(np.logaddexp.reduce(ratio**2 * (weights @ f + bias)))
    return scores


@pytest.mark.parametrize(("low", "high"), [(75.0, 85.0), (60.0, 99.0), (95.0, 99.0)])
@pytest.mark.parametrize("shift", [0.0, 0.3], ids=["relu", "signed"])
def test_against_the_algorithm_written_out(low, high, shift):
    rng = np.random.default_rng(0)
    pairs = [[rng.gamma(0.5, 1.0, (rows, 240)) - shift for _ in range(2)] for rows in (57, 40)]
    pairs = [[f, f + 0.2 * (moved - 0.5)] for f, moved in pairs]
    weights, bias = rng.normal(size=(7, 240)) / 15, rng.normal(size=7)
    head = Head(torch.tensor(weights), torch.tensor(bias))
    val, test = (with_perturbed(Outputs(torch.tensor(f), head=head), torch.tensor(moved)) for f, moved in pairs)
    expected = written_out(*pairs, (weights, bias), low, high, 10)
    for name, scores in expected.items():
        found = make_scorer(name, low=low, high=high).fit(val).score(test)
        np.testing.assert_allclose(found, scores, rtol=1e-9)


def test_percentiles_are_found_in_double_precision():
    """At D = 1000 and low = 64.65, float32 makes the 354 largest entries of the 353 that are there."""
    rng = np.random.default_rng(1)
    pairs = [[rng.gamma(0.5, 1.0, (rows, 1000)) for _ in range(2)] for rows in (7, 40)]
    pairs[1][1] += 100 * np.arange(40)[:, None]  # most lie beyond all that is known: their percentile is low itself
    weights, bias = rng.normal(size=(3, 1000)) / 30, rng.normal(size=3)
    head = Head(torch.tensor(weights), torch.tensor(bias))
    val, test = (with_perturbed(Outputs(torch.tensor(f), head=head), torch.tensor(moved)) for f, moved in pairs)
    for name, scores in written_out(*pairs, (weights, bias), 64.65, 99.0, 10).items():
        np.testing.assert_allclose(make_scorer(name, low=64.65, high=99.0).fit(val).score(test), scores, rtol=1e-9)


def test_at_most_so_many_images_are_learnt_from_the_same_in_any_order(toy, monkeypatch):
    monkeypatch.setattr(module, "MOST_IMAGES", 20)
    scorer = make_scorer("adascale-a").fit(toy.val)
    assert scorer.state["shifts"].shape == (20,)
    assert torch.equal(
        make_scorer("adascale-a").fit(toy.val.subset(torch.arange(60).flip(0))).state["shifts"], scorer.state["shifts"]
    )
    assert not torch.equal(make_scorer("adascale-a", seed=1).fit(toy.val).state["shifts"], scorer.state["shifts"])


def test_features_are_not_changed_from_one_scoring_to_the_next(toy):
    """OpenOOD's multiplies the features that it was given in place, so that a second scoring starts from scaled ones."""
    scorer = make_scorer("adascale-a").fit(toy.val)
    before = toy.test.features.clone()
    assert torch.equal(scorer.score(toy.test), scorer.score(toy.test))
    assert torch.equal(toy.test.features, before)


def test_a_row_without_a_positive_entry_is_not_scaled():
    outputs = with_perturbed(Outputs(torch.tensor([[0.0, -1, -2, 0]]), head=HEAD), torch.zeros(1, 4))
    assert make_scorer("adascale-l").fit(outputs).score(outputs).item() == pytest.approx(lse([0, -1]))


def test_features_to_learn_from_that_are_nan_are_a_reason():
    outputs = with_perturbed(Outputs(torch.full((3, 4), torch.nan), head=HEAD), torch.zeros(3, 4))
    with pytest.raises(NotApplicableError, match="NaN or infinite"):
        make_scorer("adascale-a").fit(outputs)


def test_negative_features_are_cautioned_against(toy):
    assert make_scorer("adascale-l").caution(toy.test) is None
    assert "never negative" in make_scorer("adascale-l").caution(Outputs(toy.test.features - 1, head=toy.head))


def test_presets():
    bounds = [[make_scorer("adascale-a", preset).settings()[one] for one in ("low", "high")] for preset in ("openood", "paper")]
    assert bounds == [[75, 85], [60, 85]]


@pytest.mark.parametrize("settings", [{"low": 85.0, "high": 75.0}, {"low": 80.0, "high": 80.0}, {"high": 100.0}, {"low": -1.0}])
def test_the_lower_percentile_must_be_the_lower(settings):
    with pytest.raises(UsageError, match="adascale-a expects percentiles 0 ≤ low < high < 100"):
        make_scorer("adascale-a", **settings)


def test_of_the_grid_openoods_36_pairs_are_possible_in_its_order():
    possible = []
    for spec in candidates("adascale-l"):
        try:
            possible.append(parse_scorer(spec))
        except UsageError:
            continue
    pairs = [(one.low, one.high) for one in possible]
    values = [60, 65, 70, 75, 80, 85, 90, 95, 99]
    assert pairs == [(low, high) for low in values for high in values if low < high]
    assert len(pairs) == 36
