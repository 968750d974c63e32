import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softmax

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.learner import Learner
from oodkit.training.recipes import make_recipe
from oodkit.training.recipes.mos import Groups

from .toy import toy_learner


def members(classes, groups):
    of = Groups(classes, groups).of_classes(torch.device("cpu")).tolist()
    return [[one for one in range(classes) if of[one] == group] for group in range(groups)]


def images(count=8):
    return torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(1))


def grouped(logits, classes, groups):
    """The paper's layout: for each group the logits of "others" and then of its classes."""
    return [torch.cat([logits[:, classes + g, None], logits[:, own]], dim=1) for g, own in enumerate(members(classes, groups))]


def test_the_loss_is_the_sum_of_each_group_s_cross_entropy():
    """Another implementation: one call of cross-entropy a group, whose target is 0 ("others") where the class is of another."""
    classes, groups = 5, 2
    learner = toy_learner(make_recipe("mos", groups=groups), classes)
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 3, 2])
    found = learner(Batch((images(),), labels))
    (loss,) = found.parts.values()
    expected = torch.zeros(())
    for own, logits in zip(members(classes, groups), grouped(learner.logits(images()), classes, groups), strict=True):
        targets = torch.tensor([own.index(label) + 1 if label in own else 0 for label in labels.tolist()])
        expected = expected + cross_entropy(logits, targets)
    torch.testing.assert_close(loss, expected)
    own, other = (torch.autograd.grad(one, list(learner.parameters())) for one in (loss, expected))
    torch.testing.assert_close(own, other)


def test_the_answer_in_training_is_the_largest_share_of_any_group():
    classes, groups = 7, 3
    recipe = make_recipe("mos", groups=groups)
    learner = toy_learner(recipe, classes)
    with torch.no_grad():
        learner.head_layer.weight.normal_()
    shares = torch.zeros(8, classes)
    for own, logits in zip(members(classes, groups), grouped(learner.logits(images()), classes, groups), strict=True):
        shares[:, own] = softmax(logits, dim=1)[:, 1:].detach()
    found = learner(Batch((images(),), shares.argmax(1)))
    assert found.correct.all()


def test_the_trained_network_ranks_images_as_the_minimum_others_score():
    """p_g[others] = 1 / (1 + Σ_{c in g} exp r_c), so that −min_g of it rises with max_g lse r; equal in value too."""
    classes, groups = 11, 3
    recipe = make_recipe("mos", groups=groups)
    learner = toy_learner(recipe, classes).double()
    with torch.no_grad():
        learner.head_layer.weight.normal_()
        learner.head_layer.bias.normal_()
    many = images(200).double()
    before = grouped(learner.logits(many).detach(), classes, groups)
    score = -torch.stack([softmax(one, dim=1)[:, 0] for one in before]).amin(0)
    assert recipe.finish(learner.net, learner.head, learner.extra) == {}
    odds = learner.logits(many).detach()
    assert odds.shape == (200, classes)
    by_group = torch.stack([odds[:, own].logsumexp(1) for own in members(classes, groups)]).amax(0)
    assert by_group.argsort().tolist() == score.argsort().tolist()
    torch.testing.assert_close(-torch.sigmoid(-by_group), score)
    largest = odds.amax(1)
    assert (largest <= by_group + 1e-12).all()
    assert (by_group <= largest + torch.tensor(4.0).log()).all()  # of 11 classes in 3 groups, at most 4 in one


def test_groups_are_runs_of_neighbours_of_about_equal_size():
    assert members(5, 2) == [[0, 1, 2], [3, 4]]
    assert members(2, 2) == [[0], [1]]
    sizes = [len(one) for one in members(1000, 32)]
    assert sum(sizes) == 1000
    assert set(sizes) == {31, 32}


def test_by_default_there_are_as_many_groups_as_classes_in_one():
    assert [make_recipe("mos").count(classes) for classes in (2, 3, 10, 100, 1000)] == [2, 2, 3, 10, 32]


def test_a_layer_that_knows_the_classes_keeps_what_it_knows():
    recipe = make_recipe("mos", groups=2)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    known = net(images()).detach()
    recipe.adapt(net, "1", 4)
    wider = net(images()).detach()
    torch.testing.assert_close(wider[:, :4], known)
    assert (wider[:, 4:] == 0).all()
    learner = Learner(net, "1", 12, recipe.modules(4, 12), recipe.loss)
    recipe.finish(learner.net, "1", learner.extra)
    torch.testing.assert_close(net(images()).detach(), known)


def test_more_groups_than_classes_are_refused():
    with pytest.raises(UsageError, match=r"^recipe mos needs at most as many groups as the 3 classes, got groups=4$"):
        toy_learner(make_recipe("mos", groups=4), 3)
    with pytest.raises(UsageError, match=r"^recipe mos needs groups of 2 or more, got groups=1$"):
        make_recipe("mos", groups=1)
