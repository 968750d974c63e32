import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from oodkit.errors import NotApplicableError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def of_probabilities(*rows):
    logits = torch.tensor(rows, dtype=torch.float64).log()
    return Outputs(torch.zeros(len(logits), 1), logits=logits)


# Predicted as 0, 0 and 1, never as 2: the templates are (0.7, 0.2, 0.1), (0.3, 0.6, 0.1) and (0, 0, 1).
VAL = of_probabilities([0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1])
TEMPLATES = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.0, 0.0, 1.0]])


def divergence(p, template):
    return sum(a * math.log(a / b) for a, b in zip(p, template, strict=True))


def test_by_hand():
    p = [0.5, 0.3, 0.2]
    expected = -min(divergence(p, template) for template in TEMPLATES[:2])
    scorer = make_scorer("klm").fit(VAL)
    assert scorer.score(of_probabilities(p)).item() == pytest.approx(expected)
    assert scorer.score(of_probabilities(*TEMPLATES[:2].tolist())).tolist() == pytest.approx([0, 0], abs=1e-12)


def test_a_class_that_is_never_predicted_has_the_one_hot_template():
    """p = (10⁻⁹, 10⁻⁹, 1 − 2·10⁻⁹) is near it, and far from the others: Σ p log p + 2·10⁻⁹ · 708.4 against log 10."""
    score = make_scorer("klm").fit(VAL).score(of_probabilities([1e-9, 1e-9, 1 - 2e-9])).item()
    nothing = math.log(torch.finfo(torch.float64).tiny)
    assert score == pytest.approx(2e-9 * nothing - 2e-9 * math.log(1e-9) + 2e-9, rel=1e-6)


def test_of_many_classes_one_matrix_of_templates_is_made(made):
    """ImageNet-21k's is 3.6 GiB: what becomes of it is done in place."""
    val = Outputs(torch.zeros(9, 1), logits=torch.randn(9, 60, generator=torch.Generator().manual_seed(0)))
    with made:
        make_scorer("klm").fit(val)
    assert made.of_at_least(60 * 60) == ["aten.zeros.default"]


def test_against_scipy_pair_by_pair(toy):
    p, q = (one.logits.double().softmax(1).numpy() for one in (toy.val, toy.test))
    templates = [p[p.argmax(1) == c].mean(0) for c in range(4)]
    expected = [-min(entropy(image, template) for template in templates) for image in q]
    np.testing.assert_allclose(make_scorer("klm").fit(toy.val).score(toy.test), expected, rtol=1e-9, atol=1e-12)


def test_templates_are_of_the_predicted_class_and_labels_are_not_read():
    """pytorch-ood took the true class; with these labels that would change places of the templates."""
    labelled = VAL.with_labels(torch.tensor([1, 1, 0]))
    learnt = make_scorer("klm").fit(labelled).state["log_templates"].exp()
    np.testing.assert_allclose(learnt, TEMPLATES, rtol=1e-12, atol=1e-300)


def test_the_nearest_template_counts_even_where_it_is_not_the_predicted_class():
    """pytorch-ood compared with the template of the predicted class alone. (0.46, 0.44, 0.1) is predicted as 0, but nearer to 1."""
    p = [0.46, 0.44, 0.1]
    assert divergence(p, TEMPLATES[1]) < divergence(p, TEMPLATES[0])
    assert make_scorer("klm").fit(VAL).score(of_probabilities(p)).item() == pytest.approx(-divergence(p, TEMPLATES[1]))


def test_probabilities_of_nothing_give_finite_scores():
    """Logits of ±10⁴ are exact zeros and ones: an image as its template scores 0, one against it log of the smallest number."""
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]])
    certain = Outputs(torch.zeros(2, 1), logits=logits)
    assert make_scorer("klm").fit(certain).score(certain).tolist() == [0, 0]
    alone = make_scorer("klm").fit(certain.subset(torch.tensor([0])))
    assert alone.score(certain).tolist() == [0, 0]  # class 1 is never predicted, and its one-hot template fits
    between = Outputs(torch.zeros(1, 1), logits=torch.zeros(1, 2))
    assert alone.score(between).item() == pytest.approx(math.log(torch.finfo(torch.float64).tiny) / 2 + math.log(2))


def test_a_constant_added_to_all_logits_changes_nothing(toy):
    shifted = [Outputs(one.features, logits=one.logits + 8) for one in (toy.val, toy.test)]
    one, other = (make_scorer("klm").fit(val).score(test) for val, test in ((toy.val, toy.test), shifted))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_teach_nothing(value):
    logits = torch.eye(3)
    logits[1, 2] = value
    with pytest.raises(NotApplicableError, match="the logits to learn from hold NaN or infinite values; extract them in float32"):
        make_scorer("klm").fit(Outputs(torch.zeros(3, 1), logits=logits))
