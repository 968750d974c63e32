import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, load_scorer, make_scorer, parse_scorer

# One class with weights 1, 10, 100, …: the score is the number that the shaped features spell.
DIGITS = Head(torch.tensor([[100.0, 10, 1]]), torch.zeros(1))


def spelt(scorer, rows):
    return scorer.score(Outputs(torch.tensor(rows), head=DIGITS)).tolist()


def test_openood_raises_what_is_low_and_lowers_what_is_high():
    """Of the entries 1 … 9 the 25th percentile is 3, the 75th 7."""
    val = Outputs(torch.arange(1.0, 10).reshape(3, 3), head=DIGITS)
    assert spelt(make_scorer("vra", low=25, high=75).fit(val), [[1.0, 5, 9], [3, 7, 0]]) == [357, 373]


def test_the_papers_variant_erases_what_is_low_in_each_dimension():
    """The dimensions hold 0 … 4, 10 … 14 and −2 … 2: their 25th percentiles are 1, 11, −1, their 75th 3, 13, 1."""
    steps = torch.arange(5.0)[:, None]
    train = Outputs(torch.cat([steps, steps + 10, steps - 2], 1), head=DIGITS)
    scorer = make_scorer("vra", "paper", low=25, high=75).fit(train)
    assert spelt(scorer, [[0.5, 10.5, -1.5], [1, 11, -1], [2, 12, 0], [9, 99, 9]]) == [0, 209, 320, 431]


def test_bounds_may_be_activations_and_then_nothing_is_learnt():
    """VRA-P of ImageNet ResNet-50: 0 below 0.5, at most 1."""
    scorer = parse_scorer("vra:bounds=value,below=erase,low=0.5,high=1")
    assert scorer.fits_on is None
    assert spelt(scorer, [[0.4, 0.5, 0.75], [2, 1, 0]]) == [pytest.approx(5.75), 110]
    assert spelt(make_scorer("vra", bounds="value", low=2, high=5), [[1.0, 4, 9]]) == [245]


def test_without_anything_to_learn_it_is_saved_and_spelt_as_well(tmp_path):
    scorer = parse_scorer("vra:bounds=value,below=erase,low=0.5,high=1")
    scorer.save(tmp_path / "scorer.safetensors")
    for other in (load_scorer(tmp_path / "scorer.safetensors"), parse_scorer(scorer.spec())):
        assert other.settings() == scorer.settings()
        assert spelt(other, [[0.4, 0.5, 0.75]]) == spelt(scorer, [[0.4, 0.5, 0.75]])


def test_openoods_is_react_where_a_tenth_of_the_features_is_zero(toy):
    """As after a ReLU: the two rows of the golden data are equal. Where the features reach below α they part."""
    rectified = [Outputs((one.features - 0.05).clamp(min=0), head=toy.head) for one in (toy.val, toy.test)]
    shifted = [Outputs(one.features - 0.05, head=toy.head) for one in (toy.val, toy.test)]
    for (val, test), same in ((rectified, True), (shifted, False)):
        scores = [make_scorer(name).fit(val).score(test) for name in ("vra", "react")]
        assert torch.allclose(*scores, rtol=0, atol=1e-12) is same


@pytest.mark.parametrize("half", [torch.float32, torch.float16])
def test_the_papers_preset_written_out_in_numpy(half, toy):
    train, test = (one.features.to(half) for one in (toy.train, toy.test))
    low, high = np.percentile(train.double().numpy(), [60, 90], axis=0)
    features = test.double().numpy()
    shaped = np.where(features < low, 0, np.minimum(features, high))
    logits = shaped @ toy.head.weight.double().numpy().T + toy.head.bias.double().numpy()
    scores = make_scorer("vra", "paper").fit(Outputs(train, head=toy.head)).score(Outputs(test, head=toy.head))
    np.testing.assert_allclose(scores, np.log(np.exp(logits).sum(1)), rtol=1e-5)


def test_it_warns_of_negative_features(toy):
    assert make_scorer("vra").caution(toy.test) is None
    assert "never negative" in make_scorer("vra").caution(Outputs(toy.test.features - 1, head=toy.head))


def test_presets_and_grid():
    assert make_scorer("vra").settings() == {"low": 10, "high": 90, "bounds": "joint", "below": "raise", "fits_on": "val"}
    paper = {"low": 60, "high": 90, "bounds": "each", "below": "erase", "fits_on": "train"}
    assert make_scorer("vra", "paper").settings() == paper
    assert SCORERS["vra"].grid == {"high": (85, 90, 95, 99), "low": (1, 5, 10, 15)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"low": 95}, "low of at most high"),
        ({"high": 101}, "percentiles between 0 and 100"),
        ({"low": -1}, "percentiles between 0 and 100"),
        ({"fits_on": None}, "fits_on=train or val for percentiles"),
        ({"bounds": "all"}, "vra:bounds takes joint or each or value, got 'all'"),
        ({"below": "keep"}, "vra:below takes raise or erase, got 'keep'"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(UsageError, match=message):
        make_scorer("vra", **settings)


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="vra needs the head"):
        make_scorer("vra").fit(Outputs(toy.val.features, logits=toy.val.logits))
