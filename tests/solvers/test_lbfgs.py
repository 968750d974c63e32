"""L-BFGS: its gradient, its optimum beside scikit-learn's, what it promises of the gap, and awkward features."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.solvers import lbfgs
from oodkit.solvers.lbfgs import Coordinates, Memory, Point, Problem, solve


def problem_of(outputs, *, zeros=False):
    head = outputs.head
    start = replace(head, weight=0 * head.weight, bias=0 * head.bias) if zeros else head
    return Problem(outputs, start, Coordinates.of(outputs))


def probe(problem, seed=1):
    return 0.3 * torch.randn(problem.start().shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def penalised(problem, at, l2):
    """The objective and its gradient."""
    loss, gradient = problem.loss_and_gradient(at)
    return Point(at, float(loss), gradient).penalised(l2)


def test_whitened_features_by_hand():
    """Features ±1 and ±3 have variances 1 and 9; 0.01 of their mean, 0.05, is added to each before the division."""
    features = torch.tensor([[1.0, 3.0], [-1.0, 3.0], [1.0, -3.0], [-1.0, -3.0]])
    found = Coordinates.of(Outputs(features, torch.tensor([0, 1, 0, 1]), head=Head(torch.zeros(2, 2), torch.zeros(2))))
    assert found.mean.tolist() == [0, 0]
    torch.testing.assert_close(found.whitener.abs(), torch.tensor([[1.05**-0.5, 0], [0, 9.05**-0.5]], dtype=torch.float64))


def test_no_correction_is_the_head_itself(make_outputs):
    problem = problem_of(make_outputs())
    same = problem.coordinates.corrected(problem.head, problem.start())
    assert torch.equal(same.weight.float(), problem.head.weight)
    assert torch.equal(same.bias.float(), problem.head.bias)


def test_gradient_is_that_of_finite_differences(make_outputs):
    problem = problem_of(make_outputs())
    at = probe(problem)
    _, gradient = penalised(problem, at, 0.1)
    for row, column in ((0, 0), (1, 3), (2, 5)):
        step = torch.zeros_like(at)
        step[row, column] = 1e-5
        above, below = (penalised(problem, at + sign * step, 0.1)[0] for sign in (1, -1))
        assert float(gradient[row, column]) == pytest.approx((above - below) / 2e-5, rel=1e-6, abs=1e-9)


def test_objective_and_gradient_are_autograds_over_several_chunks(make_outputs):
    outputs = make_outputs(count=9000)
    problem = problem_of(outputs)
    at = probe(problem).requires_grad_()
    z = (outputs.features - problem.coordinates.mean) @ problem.coordinates.whitener
    logits = outputs.features @ problem.head.weight.double().mT + problem.head.bias + z @ at[:, :-1].mT + at[:, -1]
    expected = functional.cross_entropy(logits, outputs.labels) + 0.05 * at.square().sum()
    expected.backward()
    loss, gradient = penalised(problem, at.detach(), 0.1)
    assert loss == pytest.approx(expected.item())
    torch.testing.assert_close(gradient, at.grad)


def test_optimum_is_scikit_learns(make_outputs):
    """From zeros the problem is plain ridge logistic regression on the whitened features with a column of ones."""
    from sklearn.linear_model import LogisticRegression

    outputs, l2 = make_outputs(), 0.02
    problem = problem_of(outputs, zeros=True)
    found = solve(problem, l2, gap=1e-10)
    z = ((outputs.features - problem.coordinates.mean) @ problem.coordinates.whitener).numpy()
    z = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    theirs = LogisticRegression(C=1 / (l2 * len(z)), fit_intercept=False, tol=1e-10, max_iter=1000).fit(z, outputs.labels.numpy())
    ours = problem.coordinates.corrected(problem.head, found.correction)(outputs.features).softmax(1)
    np.testing.assert_allclose(ours.numpy(), theirs.predict_proba(z), atol=1e-4)


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8])
def test_it_ends_where_the_gradient_proves_the_gap(make_outputs, gap):
    problem, l2 = problem_of(make_outputs()), 0.01
    found, best = solve(problem, l2, gap=gap), solve(problem, l2, gap=1e-13)
    assert found.converged
    assert found.gradient <= (2 * l2 * gap) ** 0.5
    loss, gradient = penalised(problem, found.correction, l2)
    assert float(gradient.norm()) == pytest.approx(found.gradient)
    assert 0 <= loss - penalised(problem, best.correction, l2)[0] <= found.gap <= gap


def test_it_says_where_it_had_to_stop(make_outputs):
    found = solve(problem_of(make_outputs()), 1e-4, gap=1e-12, max_passes=3)
    assert not found.converged
    assert found.gap > 1e-12


def test_rounding_ends_it(make_outputs):
    """Float32 products can't prove a gap of 1e-30 nats; it stops by itself."""
    found = solve(problem_of(make_outputs(dtype=torch.float32)), 1e-3, gap=1e-30, max_passes=10_000)
    assert not found.converged
    assert found.passes < 10_000
    assert found.gap < 1e-6


def test_passes_are_counted_and_reported(make_outputs):
    seen = []
    found = solve(problem_of(make_outputs()), 0.01, progress=lambda passes, gap: seen.append((passes, gap)))
    assert seen[-1] == (found.passes, found.gap)
    assert [passes for passes, _ in seen] == sorted(passes for passes, _ in seen)


def test_a_warm_start_takes_fewer_passes(make_outputs):
    problem = problem_of(make_outputs())
    cold = solve(problem, 0.01, gap=1e-8)
    assert solve(problem, 0.01, gap=1e-8, start=cold.correction).passes == 1
    assert cold.passes > 1


def test_another_strength_goes_on_where_the_last_one_ended(make_outputs):
    """The same optimum as from nothing, and no pass to find out what is known; the solution it came from stays as it was."""
    problem = problem_of(make_outputs())
    strong = solve(problem, 0.1, gap=1e-8)
    before = strong.correction.clone()
    again, weak, cold = (
        solve(problem, 0.1, start=strong),
        solve(problem, 0.01, start=strong, gap=1e-10),
        solve(problem, 0.01, gap=1e-10),
    )
    assert again.passes == 0
    assert weak.passes < cold.passes
    torch.testing.assert_close(weak.correction, cold.correction, atol=1e-3, rtol=0)
    assert torch.equal(strong.correction, before)


def test_the_curvature_is_that_of_the_last_step():
    """The secant equation: a gradient that changed as along the last step, penalty and all, asks for that step back."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(3, 4, generator=generator) for _ in range(2))
    points = [Point(first, 0.0, 3 * first), Point(second, 0.0, 3 * second), Point(second + 1, 0.0, 3 * second + 2)]
    memory = Memory().after(points[0], points[1]).after(points[1], points[2])
    for l2 in (0.0, 0.5):
        torch.testing.assert_close(memory.direction(torch.full((3, 4), 2 + l2), l2), -torch.ones(3, 4))


def test_steps_whose_curvature_is_lost_in_rounding_are_forgotten():
    flat = Point(torch.ones(2, 2), 0.0, torch.ones(2, 2)), Point(torch.zeros(2, 2), 0.0, torch.ones(2, 2))
    assert Memory().after(*flat).pairs == ()


def test_only_the_last_ten_steps_are_kept():
    points = [Point(torch.full((2, 2), float(k)), 0.0, torch.full((2, 2), float(k))) for k in range(14)]
    memory = Memory()
    for before, after in pairwise(points):
        memory = memory.after(before, after)
    assert len(memory.pairs) == 10


def test_a_step_that_goes_too_far_is_shortened():
    """Two of a hundred classes: their curvature, a quarter, is far above the 2 / C that the first step goes by."""
    features = torch.tensor([[1.0], [-1.0]]).repeat(20, 1)
    head = Head(torch.zeros(100, 1), torch.tensor([0.0, 0.0, *[-9.0] * 98]))
    problem = problem_of(Outputs(features, torch.tensor([0, 1]).repeat(20), head=head))
    seen = []
    found = solve(problem, 1e-3, progress=lambda passes, gap: seen.append(passes))
    assert found.converged
    assert max(after - before for before, after in pairwise(seen)) > 1


def test_of_many_images_a_draw_gives_the_coordinates(make_outputs, monkeypatch):
    outputs = make_outputs()
    whole = Coordinates.of(outputs)
    monkeypatch.setattr(lbfgs, "MOMENT_IMAGES", 12)
    some, again = Coordinates.of(outputs), Coordinates.of(outputs)
    assert torch.equal(some.whitener, again.whitener)
    assert not torch.equal(some.mean, whole.mean)
    torch.testing.assert_close(some.mean, whole.mean, atol=0.5, rtol=0)


def test_a_class_without_images_keeps_finite_logits(make_outputs):
    outputs = make_outputs(classes=4).subset((torch.arange(90) % 4 != 3).nonzero().flatten())
    problem = problem_of(outputs)
    found = solve(problem, 1e-3)
    head = problem.coordinates.corrected(problem.head, found.correction)
    assert found.converged
    assert head(outputs.features)[:, 3].mean() < outputs.logits[:, 3].mean()


@pytest.mark.parametrize("shape", ["two classes", "more features than images", "a constant feature", "equal features"])
def test_awkward_features_converge(shape):
    generator = torch.Generator().manual_seed(0)
    classes, count, width = (
        (2, 30, 4) if shape == "two classes" else (3, 12 if "more" in shape else 60, 40 if "more" in shape else 4)
    )
    features = torch.randn(count, width, generator=generator)
    if shape == "a constant feature":
        features[:, 1] = 7
    if shape == "equal features":
        features = torch.ones(count, width)
    head = Head(torch.randn(classes, width, generator=generator), torch.zeros(classes))
    problem = problem_of(Outputs(features, torch.arange(count) % classes, head=head))
    found = solve(problem, 0.01)
    assert found.converged
    assert found.correction.isfinite().all()
    assert found.correction.shape[1] <= min(count, width) + 1


def test_what_the_images_say_nothing_of_stays_as_it_is():
    """The third feature is 0 in all images: its weights are those of the head that it starts from."""
    features = torch.cat([torch.randn(30, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(30, 1)], dim=1)
    head = Head(torch.tensor([[1.0, 2.0, 5.0], [0.0, 1.0, -4.0]]), torch.zeros(2))
    problem = problem_of(Outputs(features, torch.arange(30) % 2, head=head))
    refitted = problem.coordinates.corrected(head, solve(problem, 0.01).correction)
    torch.testing.assert_close(refitted.weight[:, 2], torch.tensor([5.0, -4.0], dtype=torch.float64))
    assert (refitted.weight[:, :2] - head.weight[:, :2]).abs().max() > 0.1


def test_far_off_features_lose_no_digits(make_outputs):
    """10,000 added to every feature, in float32, and taken off by the bias: the same logits."""
    near = make_outputs(dtype=torch.float32)
    near = Outputs(near.features.mul(64).round() / 64, near.labels, head=near.head)  # so that 10,000 more is still exact
    bias = near.head.bias.double() - 10_000 * near.head.weight.double().sum(1)
    far = Outputs(near.features + 10_000, near.labels, head=Head(near.head.weight.double(), bias))
    there = problem_of(far)
    here = Problem(near, near.head, replace(there.coordinates, mean=there.coordinates.mean - 10_000))
    (loss, gradient), (expected, by) = (penalised(problem, probe(here), 0.01) for problem in (there, here))
    assert loss == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(gradient.norm(), by.norm(), rtol=1e-4, atol=1e-6)


def test_features_that_are_not_finite_are_refused(make_outputs):
    outputs = make_outputs()
    outputs.features[3, 1] = torch.nan
    with pytest.raises(NotApplicableError, match="hold NaN or infinite values"):
        Coordinates.of(outputs)


def test_the_gap_is_the_one_that_the_docs_name():
    assert lbfgs.GAP == 1e-3
