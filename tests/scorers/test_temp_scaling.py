import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from oodkit.errors import NotApplicableError, NotFittedError, OutputsError, UsageError
from oodkit.evaluation import evaluate
from oodkit.head import Head
from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.scorers import make_scorer


def of_logits(logits, labels=None):
    logits = torch.as_tensor(logits)
    return Outputs(torch.zeros(len(logits), 1), None if labels is None else torch.as_tensor(labels), logits=logits)


def noisy(rows=300, classes=7, size=1.0, seed=0):
    """Logits that are right most of the time."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    logits[torch.arange(rows), labels] += 2
    return of_logits(size * logits, labels)


def learnt_from(val):
    return make_scorer("temp_scaling").fit(val).settings()["temperature"]


def test_the_optimum_by_hand():
    """Ten images with logits (6, 0), of which nine are of class 0: most likely where p = 0.9, so 6/T = ln 9."""
    assert learnt_from(of_logits([[6.0, 0.0]] * 10, [0] * 9 + [1])) == pytest.approx(6 / math.log(9), rel=1e-12)


@pytest.mark.parametrize(("size", "classes"), [(1.0, 7), (30.0, 2), (0.01, 100)])
def test_the_optimum_against_scipy(size, classes):
    val = noisy(classes=classes, size=size)

    def loss(log_temperature):
        return torch.nn.functional.cross_entropy(val.logits / math.exp(log_temperature), val.labels).item()

    around = math.log(size)
    found = minimize_scalar(loss, bounds=(around - 4, around + 4), method="bounded", options={"xatol": 1e-10})
    assert learnt_from(val) == pytest.approx(math.exp(found.x), rel=1e-6)
    assert loss(math.log(learnt_from(val))) <= found.fun + 1e-14


def test_the_optimum_over_several_chunks_is_that_over_all():
    val = noisy(CHUNK_ROWS + 500)
    doubled = Outputs.join([val, val])
    assert learnt_from(doubled) == pytest.approx(learnt_from(val), rel=1e-10)


def test_logits_twice_as_large_have_twice_the_temperature():
    assert learnt_from(noisy(size=2.0)) == pytest.approx(2 * learnt_from(noisy()), rel=1e-10)


def test_the_score_is_the_log_odds_of_the_largest_probability(toy):
    scorer = make_scorer("temp_scaling", temperature=2.5)
    expected = (toy.test.logits.double() / 2.5).softmax(1).amax(1)
    np.testing.assert_allclose(scorer.score(toy.test).sigmoid(), expected, rtol=1e-12)


def test_confident_images_do_not_tie():
    """Of two classes the log-odds are the lead over T, and float64 has no number between 1 − e⁻⁴⁰ and 1."""
    scores = make_scorer("temp_scaling", temperature=0.5).score(of_logits([[20.0, 0.0], [3000.0, 0.0]]))
    assert scores.tolist() == [40, 6000]


def test_a_constant_added_to_all_logits_changes_nothing(toy):
    shifted = Outputs(toy.val.features, toy.val.labels, logits=toy.val.logits + 8)
    one, other = (make_scorer("temp_scaling").fit(val).score(toy.test) for val in (toy.val, shifted))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_images_that_are_all_right_give_the_lowest_temperature_and_it_says_so():
    """The mean of max − mean is 2 (leads of 2 and 6 in two classes), and the lowest temperature 1/10000 of it."""
    scorer = make_scorer("temp_scaling").fit(of_logits([[2.0, 0.0], [0.0, 6.0]], [0, 1]))
    assert scorer.settings()["temperature"] == pytest.approx(0.0002, rel=1e-5)
    assert scorer.caution(of_logits([[0.0, 1.0]])).endswith("too well for a best temperature, which runs to 0; took T = 0.0002")


@pytest.mark.parametrize("labels", [[1, 0], [1, 1]], ids=["none right", "half right"])
def test_labels_that_the_logits_know_nothing_of_give_the_highest_temperature_and_it_says_so(labels):
    scorer = make_scorer("temp_scaling").fit(of_logits([[4.0, 0.0], [0.0, 4.0]], labels))
    assert scorer.settings()["temperature"] == pytest.approx(20000, rel=1e-5)
    assert "labels do not fit the logits" in scorer.caution(of_logits([[0.0, 1.0]]))
    assert scorer.score(of_logits([[0.0, 1.0], [0.0, 2.0]])).diff() > 0


def test_an_optimum_inside_is_no_reason_for_caution(toy):
    assert make_scorer("temp_scaling").fit(noisy()).caution(toy.test) is None
    assert make_scorer("temp_scaling").caution(toy.test) is None


def test_logits_that_are_all_alike_leave_them_as_they_are():
    assert learnt_from(of_logits([[3.0, 3.0], [1.0, 1.0]], [0, 1])) == 1


def test_it_learns_from_labelled_images_only(toy):
    with pytest.raises(NotApplicableError, match="1 of 2 have no label"):
        make_scorer("temp_scaling").fit(of_logits([[1.0, 0.0], [0.0, 1.0]], [0, -1]))
    with pytest.raises(OutputsError, match="a label is 2, but the head has 2 classes"):
        make_scorer("temp_scaling").fit(of_logits([[1.0, 0.0], [0.0, 1.0]], [0, 2]))
    rows = evaluate(["temp_scaling"], toy.test, {"ood": toy.ood}, val=toy.val.with_labels(torch.full((60,), -1)))
    assert "60 of 60 have no label" in rows[0].reason


def test_logits_that_are_not_finite_are_a_reason():
    with pytest.raises(NotApplicableError, match="logits to learn from hold NaN or infinite values"):
        make_scorer("temp_scaling").fit(of_logits([[1.0, math.inf], [0.0, 1.0]], [0, 1]))


def test_a_temperature_that_is_given_needs_no_images_and_ignores_them(toy):
    scorer = make_scorer("temp_scaling", temperature=1.5)
    scores = scorer.score(toy.test)
    assert torch.equal(scorer.fit(noisy()).score(toy.test), scores)
    assert (scorer.fits_on, scorer.fitted_on, scorer.settings()) == (None, 0, {"temperature": 1.5})
    row = evaluate(["temp_scaling:temperature=1.5"], toy.test, {"ood": toy.ood})[0]
    assert (row.fits_on, row.n_fit, row.reason) == (None, 0, None)


def test_without_one_it_learns_from_validation_images(toy):
    with pytest.raises(NotFittedError, match="temp_scaling has not been fitted"):
        make_scorer("temp_scaling").score(toy.test)
    row = evaluate(["temp_scaling"], toy.test, {"ood": toy.ood}, val=toy.val)[0]
    assert (row.fits_on, row.n_fit) == ("val", 60)
    assert "took T = " in row.notes[0]


def test_impossible_settings():
    with pytest.raises(UsageError, match="temp_scaling expects a temperature above 0, or none, got temperature=0"):
        make_scorer("temp_scaling", temperature=0)


def test_it_learns_through_the_head_alike(toy):
    """Logits made by the head and logits stored are the same logits."""
    stored = Outputs(toy.train.features, toy.train.labels.roll(1), logits=toy.train.logits)
    made = Outputs(toy.train.features, toy.train.labels.roll(1), head=Head(toy.head.weight, toy.head.bias))
    assert learnt_from(stored) == pytest.approx(learnt_from(made))


def test_one_narrow_mistake_among_many_sure_images_has_an_optimum():
    """999 leads of 100, one of −1: 999 · 100 · e^(−100 β) ≈ 1 / (1 + e^(−β)), so β = ln(99900 · (1 + e^(−β))) / 100 ≈ 0.121."""
    val = of_logits([[100.0, 0.0]] * 999 + [[1.0, 0.0]], [0] * 999 + [1])
    beta = 0.1
    for _ in range(50):
        beta = math.log(99900 * (1 + math.exp(-beta))) / 100
    scorer = make_scorer("temp_scaling").fit(val)
    assert scorer.settings()["temperature"] == pytest.approx(1 / beta, rel=1e-4)
    assert scorer.caution(val) is None
