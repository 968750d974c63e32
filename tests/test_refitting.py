"""AugDelete on cached features: what it repairs, what can't be refitted, and the way back into a network."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import oodkit
from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.shards import Manifest, open_outputs, write_manifest, write_shard
from oodkit.solvers.cross_entropy import mean_loss

from .smoothed import CLASSES, mls_auroc, smoothed_outputs, toy


@pytest.fixture(scope="module")
def train():
    return smoothed_outputs()


def test_it_raises_the_maximal_logits_auroc_after_label_smoothing(train):
    """With smoothed labels every clear image is to have the same logits, and how clear it is gets lost."""
    head = oodkit.augdelete(train)
    assert mls_auroc(head) > mls_auroc(train.head) + 0.03
    test = Outputs(*toy(500, seed=1), head=head)
    assert (test.predictions() == test.labels).double().mean() > 0.95


def test_the_result_scores(train):
    head = oodkit.augdelete(train)
    test, ood = Outputs(*toy(100, seed=1), head=train.head), Outputs(toy(100, seed=2, strength=0.1)[0], head=train.head)
    rows = oodkit.evaluate(["mls", "knn"], test.with_head(head), {"faint": ood.with_head(head)}, fit=train.with_head(head))
    assert {row.scorer for row in rows} == {"mls", "knn"}
    assert all(row.reason is None for row in rows)


def test_the_account_is_whole(train):
    made = refit(train)
    assert (made.solver, made.init, made.n_fit, made.n_held_out) == ("lbfgs", "head", 600, 120)
    assert made.converged
    assert made.gradient <= math.sqrt(2 * made.l2 * 1e-3)
    assert made.gap <= 1e-3
    assert made.held_out_loss < made.start_loss
    assert made.notes == ()
    assert (made.head.weight.dtype, made.head.weight.shape) == (torch.float32, (CLASSES, 2 * CLASSES))


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("init", ["head", "zeros"])
def test_every_way_learns_the_classes_bit_for_bit_alike(train, solver, init):
    first, second = (refit(train, solver=solver, init=init) for _ in range(2))
    assert torch.equal(first.head.weight, second.head.weight)
    assert torch.equal(first.head.bias, second.head.bias)
    assert (first.solver, first.init) == (solver, init)
    assert mean_loss(train, first.head) < math.log(CLASSES) / 2


def test_sgd_gives_an_account_too(train):
    made = refit(train, solver="sgd")
    assert (made.l2, made.n_fit, made.n_held_out, made.steps) == (1e-4, 600, 0, 40)
    assert (made.start_loss, made.held_out_loss, made.gradient, made.gap, made.tried) == (None, None, None, None, ())
    val = Outputs(*toy(200, seed=5), head=train.head)
    judged = refit(train, solver="sgd", l2=0.01, val=val)
    assert judged.l2 == 0.01
    assert judged.held_out_loss == pytest.approx(mean_loss(val, judged.head))
    assert judged.start_loss == pytest.approx(mean_loss(val, train.head))


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_memory_mapped_half_precision_gives_the_same_head(train, tmp_path, solver):
    """Shards on disk, read in place, and the same numbers in memory."""
    features, labels = train.features.half(), train.labels
    write_manifest(tmp_path, Manifest("toy", 600, 256, 64, {}))
    for shard, rows in enumerate(torch.split(torch.arange(600), 256)):
        columns = {"features": features[rows], "logits": train.logits[rows], "labels": labels[rows], "indices": rows}
        write_shard(tmp_path, shard, columns, [])
    train.head.save(tmp_path / "head.safetensors")
    stored, held = (refit(one, solver=solver).head for one in (open_outputs(tmp_path), Outputs(features, labels, head=train.head)))
    assert torch.equal(stored.weight, held.weight)
    assert torch.equal(stored.bias, held.bias)


def test_a_class_without_images_keeps_its_place_and_a_note_says_so(train):
    some = train.subset((train.labels < 8).nonzero().flatten())
    made = refit(some)
    assert made.head.weight.shape == train.head.weight.shape
    assert made.head.weight.isfinite().all()
    assert made.notes[0].startswith("2 of 10 classes have no training images: they keep their place, but the refit lowers")


def test_a_head_that_does_worse_than_chance_is_told(train):
    turned = replace(train.head, weight=train.head.weight.roll(1, 0) * 3)
    made = refit(train.with_head(turned))
    assert any("worse than chance" in note and "check the order of the classes" in note for note in made.notes)


def test_progress_tells_every_strength_and_pass(train):
    lines = []
    made = refit(train, progress=lines.append)
    assert sum(line.startswith("l2 = ") for line in lines) == len(made.tried)
    assert lines[-1] == f"lbfgs: pass {made.steps}, within {made.gap:.2g} nats of the optimum"
    refit(train, solver="sgd", progress=lines.append)
    assert lines[-1] == "sgd: 40 of 40 batches"


class Averaged(nn.Module):
    """Two heads on features of their own, averaged; the first a 1×1 convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, CLASSES, 1), nn.Linear(12, CLASSES)

    def forward(self, features):
        return (self.first(features[:, :8, None, None]).flatten(1) + self.second(features[:, 8:])) / 2


class Shared(nn.Module):
    """Two heads on one feature, averaged; neither has a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(20, CLASSES, bias=False), nn.Linear(20, CLASSES, bias=False)

    def forward(self, features):
        return (self.first(features) + self.second(features)) / 2


@pytest.mark.parametrize(("net", "layers", "shared"), [
    (Averaged(), ("first", "second"), False),
    (Shared(), ("first", "second"), True),
    (nn.Sequential(nn.Unflatten(1, (20, 1, 1)), nn.Conv2d(20, CLASSES, 1), nn.Flatten()), ("1",), False),
    (nn.Sequential(nn.Linear(20, CLASSES, bias=False)), ("0",), False),
])  # fmt: skip
def test_written_back_the_network_has_the_refitted_heads_logits(train, net, layers, shared):
    head = oodkit.augdelete(train.with_head(replace(train.head, layers=layers, shared=shared)))
    assert (head.layers, head.shared) == (layers, shared)
    head.apply_to(net)
    features = toy(50, seed=4)[0]
    torch.testing.assert_close(net(features), head(features))


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_features_that_are_not_finite_are_refused(train, solver):
    features = train.features.clone()
    features[7, 3] = torch.nan
    with pytest.raises(NotApplicableError, match="the features to learn from hold NaN or infinite values"):
        refit(Outputs(features, train.labels, head=train.head), solver=solver)


def test_images_without_labels_are_refused(train):
    labels = train.labels.clone()
    labels[:4] = -1
    with pytest.raises(NotApplicableError, match="4 of 600 have no label"):
        refit(Outputs(train.features, labels, head=train.head))
    with pytest.raises(NotApplicableError, match="got no images to refit the head on; give training images in class folders"):
        refit(train.subset(torch.arange(0)))
    with pytest.raises(NotApplicableError, match="got no validation images to judge the refit by; give some with labels, or leave"):
        refit(train, val=train.subset(torch.arange(0)))
    with pytest.raises(OutputsError, match="a label is 10, but the head has 10 classes"):
        refit(Outputs(train.features, train.labels + 1, head=train.head))


def test_sgd_that_diverges_says_what_to_take(train):
    huge = Outputs(train.features * 1e25, train.labels, head=train.head)
    with pytest.raises(NotApplicableError, match=r"sgd diverged: .*; take the solver lbfgs"):
        refit(huge, solver="sgd", init="zeros")


@pytest.mark.parametrize(("settings", "message"), [
    ({"solver": "adam"}, "solver is one of lbfgs, sgd, got 'adam'"),
    ({"init": "random"}, "init is one of head, zeros, got 'random'"),
    ({"l2": 0.0}, "l2 is a number above 0, got 0; sgd alone can do with 0"),
    ({"l2": math.nan, "solver": "sgd"}, "l2 is a number above 0, got nan"),
])  # fmt: skip
def test_settings_that_can_not_be_used(train, settings, message):
    with pytest.raises(UsageError, match=message):
        refit(train, **settings)


def test_outputs_that_do_not_belong_here(train):
    with pytest.raises(
        UsageError, match=r"have logits and no head to refit; make them with Outputs\(features, labels, head=head\)"
    ):
        refit(Outputs(train.features, train.labels, logits=train.logits))
    val = Outputs(train.features[:, :4], train.labels, head=Head(torch.zeros(10, 4), torch.zeros(10)))
    with pytest.raises(UsageError, match="another network: 4 features and 10 classes, the training images have 20 features and 10"):
        refit(train, val=val)


def test_a_double_head_stays_double(train):
    head = Head(train.head.weight.double(), train.head.bias.double())
    assert oodkit.augdelete(train.with_head(head), l2=0.1).weight.dtype == torch.float64
