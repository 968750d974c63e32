"""AugDelete on cached features: the strength, what is held out, what can't be refitted, and the way back into a network."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

import oodkit
from oodkit import refitting
from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.head import Head
from oodkit.metrics import auroc
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.shards import Manifest, open_outputs, write_manifest, write_shard
from oodkit.solvers.cross_entropy import mean_loss

CLASSES = 10


def toy(count=600, *, seed=0, strength=1.0):
    """Each class lights two features: one as strong as the image is clear, hardly noisy, and one that is always 1, and noisy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    one = functional.one_hot(labels, CLASSES).float()
    clear = strength * (0.2 + 1.6 * torch.rand(count, 1, generator=generator))
    first, second = (noise * torch.randn(count, CLASSES, generator=generator) for noise in (0.02, 0.4))
    return torch.cat([one * clear + first, one + second], dim=1), labels


def smoothed_head(features, labels, smoothing=0.2):
    """The optimum of cross-entropy with smoothed labels, all but unregularised."""
    weight = torch.zeros(CLASSES, features.shape[1], requires_grad=True)
    bias = torch.zeros(CLASSES, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        found = functional.cross_entropy(features @ weight.mT + bias, labels, label_smoothing=smoothing)
        (found + 1e-4 * weight.square().sum()).backward()
        return found + 1e-4 * weight.square().sum()

    optimizer.step(loss)
    return Head(weight.detach(), bias.detach())


@pytest.fixture(scope="module")
def train():
    features, labels = toy()
    return Outputs(features, labels, head=smoothed_head(features, labels))


def mls_auroc(head):
    test, ood = (head(toy(500, seed=seed, strength=strength)[0]).amax(1) for seed, strength in ((1, 1.0), (2, 0.1)))
    return auroc(test.numpy(), ood.numpy())


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


def test_the_strength_is_the_last_that_still_gained(train):
    """From strong to weak by tens, up to the first that does not bring 0.02 nats more; all before it did."""
    made = refit(train)
    losses = [one.held_out_loss for one in made.tried]
    assert [one.l2 for one in made.tried] == pytest.approx([10.0 ** (1 - k) / CLASSES for k in range(len(losses))])
    gains = [before - after for before, after in zip([min(made.start_loss, losses[0]), *losses[1:]], losses[1:], strict=False)]
    assert all(gain >= 0.02 for gain in gains[:-1])
    assert gains[-1] < 0.02
    assert (made.l2, made.held_out_loss) == (made.tried[-2].l2, losses[-2])
    assert made.held_out_loss <= min(losses) + 0.02


def test_validation_images_choose_the_strength_in_place_of_held_out_ones(train):
    val = Outputs(*toy(200, seed=5), head=train.head)
    made = refit(train, val=val)
    assert (made.n_fit, made.n_held_out) == (600, 200)
    assert made.start_loss == pytest.approx(mean_loss(val, train.head))
    assert made.held_out_loss == pytest.approx(mean_loss(val, made.head), rel=1e-5)  # of the head that is given, not of the path's
    assert made.held_out_loss != pytest.approx(next(one.held_out_loss for one in made.tried if one.l2 == made.l2), rel=1e-5)


def test_the_account_says_who_judged(train):
    """Images held out of training are in the last fit: what is told of them is the path's figure."""
    val = Outputs(*toy(200, seed=5), head=train.head)
    own = refit(train)
    assert own.judged_by == "train"
    assert own.held_out_loss == next(one.held_out_loss for one in own.tried if one.l2 == own.l2)
    assert [refit(train, val=val, solver=solver).judged_by for solver in ("lbfgs", "sgd")] == ["val", "val"]
    assert [refit(train, l2=0.01).judged_by, refit(train, solver="sgd").judged_by] == [None, None]


def test_a_wrong_label_in_validation_calls_for_a_stronger_penalty(train):
    """Labels of a third of the validation images are drawn anew: confident logits cost there, and the path stops earlier."""
    features, labels = toy(300, seed=5)
    labels[::3] = torch.randint(CLASSES, (100,), generator=torch.Generator().manual_seed(0))
    assert refit(train, val=Outputs(features, labels, head=train.head)).l2 > refit(train).l2


def test_with_a_strength_given_nothing_is_held_out(train):
    made = refit(train, l2=0.01)
    assert (made.l2, made.n_fit, made.n_held_out, made.start_loss, made.tried) == (0.01, 600, 0, None, ())
    val = Outputs(*toy(200, seed=5), head=train.head)
    judged = refit(train, l2=0.01, val=val)
    assert judged.held_out_loss == pytest.approx(mean_loss(val, made.head), rel=1e-5)


def test_many_images_choose_the_strength_on_a_draw(train, monkeypatch):
    monkeypatch.setattr(refitting, "SELECTION_IMAGES", 200)
    made = refit(train)
    assert (made.n_fit, made.n_held_out) == (600, 40)
    assert made.notes == ("the strength was chosen on a stratified draw of 200 of the 600 images",)
    assert mls_auroc(made.head) > mls_auroc(train.head) + 0.03


def test_a_plain_head_is_left_as_it_is():
    """Trained by plain cross-entropy already: no strength gains, and the strongest penalty keeps the head, which a note says."""
    features, labels = toy()
    head = smoothed_head(features, labels, smoothing=0)
    made = refit(Outputs(features, labels, head=head))
    assert made.l2 == 10 / CLASSES
    assert len(made.tried) == 2
    torch.testing.assert_close(made.head.weight, head.weight, rtol=0, atol=0.05)
    assert made.notes == (
        "no penalty lowers the loss of held-out training images by 0.02 nats: there is next to nothing to repair in this head",
    )
    val = Outputs(*toy(200, seed=5), head=head)
    note = "no penalty lowers the loss of validation images by 0.02 nats: there is next to nothing to repair in this head"
    assert refit(Outputs(features, labels, head=head), val=val).notes == (note,)


def test_training_images_known_by_heart_can_not_tell_and_a_note_asks_for_others(train):
    """Their loss is below what a penalty has to gain, whether or not the head is any good."""
    features, labels = toy()
    head = smoothed_head(features, labels, smoothing=0)
    sure = Outputs(features, labels, head=replace(head, weight=20 * head.weight, bias=20 * head.bias))
    made = refit(sure)
    assert made.start_loss < refitting.GAIN
    (note,) = made.notes
    assert note == (
        f"the loss of held-out training images is {made.start_loss:.4f} nats from the start, so that no penalty can lower it by "
        "0.02: they can't tell whether there is something to repair; give --val SET, images that the network was not trained on"
    )


def test_a_strongest_penalty_that_gains_says_nothing_of_the_head(train, monkeypatch):
    """All that there is to gain comes with the first strength: there was something to repair, and it is repaired."""
    monkeypatch.setattr(refitting, "STRENGTHS", (1e-4, 1e-5))
    made = refit(train)
    assert made.l2 == made.tried[0].l2
    assert made.start_loss - made.tried[0].held_out_loss > 0.02
    assert made.notes == ()


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


def test_one_image_a_class_leaves_none_to_hold_out(train):
    made = refit(train.subset(torch.arange(CLASSES)))
    assert (made.n_fit, made.n_held_out, made.start_loss, made.tried) == (10, 0, None, ())
    assert made.l2 == 0.01 / CLASSES
    assert made.notes == ("no class has two images, so none could be held out to choose the strength by: took l2 = 0.001",)


def test_the_only_image_of_a_class_is_never_held_out(train):
    rows = torch.cat([torch.arange(CLASSES), torch.arange(CLASSES, 600, CLASSES)])  # of class 0 many, of the others one each
    made = refit(train.subset(rows))
    assert made.n_held_out == 12  # of the 60 of class 0
    assert made.n_fit == len(rows)


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


def test_all_views_of_an_image_are_held_out_or_none(train, monkeypatch):
    """Of three views of each of the first 200 images; a head could know a held-out view by the others of its image."""
    rows = torch.arange(200).repeat_interleave(3)
    views = Outputs(train.features[rows], train.labels[rows], head=train.head)
    judged, held_out = [], refitting._held_out
    monkeypatch.setattr(refitting, "_held_out", lambda *given: judged.append(held_out(*given)) or judged[-1])
    made = refit(views, views=3)
    assert made.n_fit == 600
    assert made.n_held_out == 120
    assert {int(own.sum()) for own in judged[0].view(200, 3)} == {0, 3}
