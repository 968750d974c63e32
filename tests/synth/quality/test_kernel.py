"""The kernel distance, against its definition written as loops, torch-fidelity's, and many draws of known distributions."""

from itertools import permutations

import pytest
import torch

from oodkit.synth.quality import kernel
from oodkit.synth.quality.kernel import Kernels, kernel_distance, strata_of


def drawn(count, width=4, seed=0, shift=0.0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def found(first, second, labels=None):
    strata = strata_of(torch.zeros(len(first)) if labels is None else labels)
    return kernel_distance(Kernels.of(first, strata), Kernels.of(second, strata))


def k(x, y):
    return float((x @ y / len(x) + 1) ** 3)


def test_it_is_the_mean_over_pairs_of_different_images():
    first, second = drawn(7), drawn(7, seed=1, shift=0.5)
    pairs = list(permutations(range(7), 2))
    within = sum(k(first[i], first[j]) + k(second[i], second[j]) for i, j in pairs) / len(pairs)
    across = sum(k(one, two) for one in first for two in second) / 49
    assert found(first, second)[0] == pytest.approx(within - 2 * across)


def test_of_classes_it_is_the_mean_within_and_across_them_by_their_shares():
    """Classes of 2 and 3: MMD² of mixtures, Σ w_a w_b (mean k_xx + mean k_yy − 2 mean k_xy), no image paired with itself."""
    first, second, labels = drawn(5), drawn(5, seed=1), torch.tensor([4, 4, 7, 7, 7])
    classes = {0: [0, 1], 1: [2, 3, 4]}
    total = 0.0
    for a, rows in classes.items():
        for b, columns in classes.items():
            weight = len(rows) * len(columns) / 25
            pairs = [(i, j) for i in rows for j in columns if a != b or i != j]
            within = sum(k(one[i], one[j]) for one in (first, second) for i, j in pairs) / len(pairs)
            across = sum(k(first[i], second[j]) for i in rows for j in columns) / (len(rows) * len(columns))
            total += weight * (within - 2 * across)
    assert found(first, second, labels)[0] == pytest.approx(total)


def test_images_drawn_class_by_class_are_not_taken_for_alike():
    """Two far classes, 6 of each in both sets: 0 on average, and without the strata far below."""
    labels = torch.tensor([0] * 6 + [1] * 6)
    sets = [(drawn(12, seed=2 * n) + 2 * labels[:, None], drawn(12, seed=2 * n + 1) + 2 * labels[:, None]) for n in range(200)]
    by_class = torch.tensor([found(*pair, labels)[0] for pair in sets])
    plain = torch.tensor([found(*pair)[0] for pair in sets])
    error = by_class.std() / 200**0.5
    assert by_class.mean().abs() < 3 * error
    assert plain.mean() < -10 * error


@pytest.mark.parametrize(("shift", "least", "most"), [(0.5, 0.85, 1.15), (0.0, 1.2, 1.7)])
def test_its_error_is_what_many_draws_spread_by(shift, least, most):
    """Of sets of one distribution √2 too large, as its docstring says."""
    draws = [found(drawn(60, seed=2 * n), drawn(60, seed=2 * n + 1, shift=shift)) for n in range(300)]
    spread = torch.tensor([value for value, _ in draws]).std()
    told = torch.tensor([error for _, error in draws]).square().mean().sqrt()
    assert least < told / spread < most


def test_it_is_torch_fidelity_s():
    metric = pytest.importorskip("torch_fidelity.metric_kid", reason="the extra fid is not installed: pip install 'oodkit[fid]'")
    first, second = drawn(40), drawn(40, seed=1, shift=0.3)
    its = metric.kernel_mmd(first.numpy(), second.numpy(), kid_kernel="poly")
    assert found(first, second)[0] == pytest.approx(float(its))


def test_rows_at_a_time_and_all_at_once_are_the_same(monkeypatch):
    first, second, labels = drawn(30), drawn(30, seed=1), torch.arange(3).repeat_interleave(10)
    whole = found(first, second, labels)
    monkeypatch.setattr(kernel, "PRODUCTS", 100)
    assert found(first, second, labels) == pytest.approx(whole)


def test_one_class_is_what_it_would_be_alone():
    first, second, strata = drawn(20), drawn(20, seed=1), torch.tensor([0] * 8 + [1] * 12)
    kernels = [Kernels.of(one, strata).stratum(slice(8, 20)) for one in (first, second)]
    assert kernel_distance(*kernels) == pytest.approx(found(first[8:], second[8:]))


@pytest.mark.parametrize(
    ("labels", "strata"),
    [([5, 5, 8, 8, 8], [0, 0, 1, 1, 1]), ([0, 1, 2, 2], [0, 0, 1, 1]), ([0, 0, 1], [0, 0, 0]), ([0, 1, 2], [0, 0, 0])],
)
def test_a_class_of_one_image_is_a_stratum_with_the_next(labels, strata):
    assert strata_of(torch.tensor(labels)).tolist() == strata
