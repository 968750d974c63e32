"""Parity with OpenOOD v1.5's own results on the same tensors, and with the figures published for the SCALE paper's scores."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from oodkit.evaluation import evaluate
from oodkit.head import Head
from oodkit.metrics import accuracy, aupr_in, aupr_out, auroc, fpr95_id, fpr95_ood
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"the golden data are not beside the checkout, in {GOLDEN.name}/ of shared/"
)

GROUPS = {"near1": "near", "near2": "near", "far1": "far", "far2": "far", "far3": "far"}
ROW_NAMES = {"nearood": "near mean", "farood": "far mean", **{name: name for name in GROUPS}}
# OpenOOD's name of a scorer, and the setting in which the golden run differs from its defaults.
SPECS = {
    "ash": "ash-b",
    "temp_scaling": "temp_scaling:temperature=1.0584",  # where its optimiser stopped
    "nnguide": "nnguide:k=100,fraction=1.0",
    "vim": "vim:dim=64",
}


def golden_names():
    names = json.loads((GOLDEN / "openood-a.json").read_text()) if GOLDEN.is_dir() else {}
    return [name for name in names if name in SCORERS or name in SPECS]


@pytest.fixture(scope="module")
def golden():
    arrays = np.load(GOLDEN / "openood-a.npz")
    head = Head(torch.from_numpy(arrays["head_weight"]), torch.from_numpy(arrays["head_bias"]))
    sets = ("train", "val", "test", *GROUPS)
    return {
        name: Outputs(torch.from_numpy(arrays[f"{name}_features"]), torch.from_numpy(arrays[f"{name}_labels"]), head=head)
        for name in sets
    }


@pytest.mark.parametrize("name", golden_names())
def test_a_scorer_gives_openoods_figures(name, golden):
    """AUROC and AUPR within 0.01 percent, FPR@95 within one of the 600 ID images, for each set and both means."""
    expected = json.loads((GOLDEN / "openood-a.json").read_text())[name]
    ood = {one: golden[one] for one in GROUPS}
    rows = evaluate([SPECS.get(name, name)], golden["test"], ood, fit=golden["train"], val=golden["val"], groups=GROUPS)
    found = {row.ood_set: row for row in rows}
    for their_name, own_name in ROW_NAMES.items():
        row, theirs = found[own_name], expected[their_name]
        assert 100 * row.auroc.value == pytest.approx(theirs["auroc"], abs=0.01)
        assert 100 * row.fpr95_ood.value == pytest.approx(theirs["fpr95"], abs=100 / 600)
        assert 100 * row.aupr_in == pytest.approx(theirs["aupr_in"], abs=0.01)
        assert 100 * row.aupr_out == pytest.approx(theirs["aupr_out"], abs=0.01)


# Of the formulas, in float64: there are no figures of OpenOOD's.
REFERENCES = [
    ("entropy", 95.75, 95.98),
    ("temp_scaling", 93.95, 94.09),  # at the optimum, T = 0.5218
    ("ash-s:percentile=65", 94.31, 93.36),
    ("ash-p", 78.07, 77.18),
    ("fsebo", 92.50, 89.38),
    ("residual:dim=64,fits_on=train", 42.89, 60.69),
    ("mds++", 86.84, 98.20),
    ("rmds++", 96.42, 98.20),
    ("openmax", 58.38, 61.33),
]


@pytest.mark.parametrize(("spec", "near", "far"), REFERENCES)
def test_what_openood_leaves_out_gives_the_reference_values(spec, near, far, golden):
    ood = {one: golden[one] for one in GROUPS}
    rows = evaluate([spec], golden["test"], ood, fit=golden["train"], val=golden["val"], groups=GROUPS)
    found = {row.ood_set: 100 * row.auroc.value for row in rows}
    assert (found["near mean"], found["far mean"]) == pytest.approx((near, far), abs=0.01)


@pytest.mark.parametrize(
    ("spec", "ood_set", "figures"), [("ebo", "far3", (91.19, 19.83, 70.50)), ("msp", "near1", (95.15, 20.00, 27.50))]
)
def test_both_fpr_conventions(spec, ood_set, figures, golden):
    row = evaluate([spec], golden["test"], {ood_set: golden[ood_set]})[0]
    found = [100 * one.value for one in (row.auroc, row.fpr95_ood, row.fpr95_id)]
    assert found == pytest.approx(figures, abs=0.005)


def test_the_optimal_temperature(golden):
    assert make_scorer("temp_scaling").fit(golden["val"]).settings()["temperature"] == pytest.approx(0.5218, abs=5e-5)


def test_accuracy_is_the_networks_own(golden):
    assert accuracy(golden["test"].predictions(), golden["test"].labels).value == pytest.approx(0.945)


SCALE_SETS = {"cifar10": "near", "tin": "near", "mnist": "far", "svhn": "far", "texture": "far", "places365": "far"}


@pytest.fixture(scope="module")
def scale():
    return np.load(GOLDEN / "scale-cifar100.npz")


def sides(scale, ood_set):
    return [(scale[f"seed{seed}/id"], scale[f"seed{seed}/{SCALE_SETS[ood_set]}/{ood_set}"]) for seed in range(3)]


@pytest.mark.parametrize("ood_set", SCALE_SETS)
def test_published_scores_give_the_published_figures(ood_set, scale):
    """To the two decimals printed, each the mean over three seeds."""
    published = json.loads((GOLDEN / "scale-cifar100.json").read_text())["published"][ood_set]
    metrics = {"AUROC": auroc, "FPR@95": lambda *both: fpr95_ood(*both).value, "AUPR_IN": aupr_in, "AUPR_OUT": aupr_out}
    for name, metric in metrics.items():
        found = 100 * np.mean([metric(*both) for both in sides(scale, ood_set)])
        assert round(float(found), 2) == published[name]["mean"], name


@pytest.mark.parametrize(("ood_set", "percent"), [("cifar10", 79.53), ("mnist", 82.34)])
def test_the_other_fpr_convention_on_published_scores(ood_set, percent, scale):
    assert 100 * np.mean([fpr95_id(*both).value for both in sides(scale, ood_set)]) == pytest.approx(percent, abs=0.005)
