"""The strength of the refit's penalty: how it is chosen, on which images, and what is told where none gains."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from oodkit import refitting
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.solvers.cross_entropy import mean_loss

from .smoothed import CLASSES, mls_auroc, smoothed_head, smoothed_outputs, toy


@pytest.fixture(scope="module")
def train():
    return smoothed_outputs()


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


def test_all_views_of_an_image_are_held_out_or_none(train, monkeypatch):
    """Of three views of each of the first 200 images; a head could know a held-out view by the others of its image."""
    rows = torch.arange(200).repeat_interleave(3)
    views = Outputs(train.features[rows], train.labels[rows], head=train.head)
    judged = []
    monkeypatch.setattr(refitting, "mean_loss", lambda images, head: judged.append(images) or mean_loss(images, head))
    made = refit(views, views=3)
    assert made.n_fit == 600
    assert made.n_held_out == 120
    assert set(Counter((judged[0].indices // 3).tolist()).values()) == {3}
