import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from oodkit.errors import UsageError
from oodkit.metrics import auroc
from oodkit.training.batch import Batch
from oodkit.training.class_queue import ClassQueue
from oodkit.training.learner import Learner
from oodkit.training.recipes import make_recipe
from oodkit.training.recipes.npos import around, kth_cosine, lonely, moved, nearness

from .toy import toy_learner

LABELS = torch.arange(12) % 3
SMALL = {"sample_number": 8, "k": 3, "select": 4, "picks": 2, "sample_from": 10, "keep": 3, "width": 5}


def images(seed=0):
    return torch.randn(12, 3, 1, 1, generator=torch.Generator().manual_seed(seed)) + LABELS[:, None, None, None]


def started(**settings):
    """A recipe whose queues are full after twelve images in two views, and its learner."""
    recipe = make_recipe("npos", **{**SMALL, **settings})
    return recipe, toy_learner(recipe, side=1)


def test_a_prototype_moves_towards_each_image_of_its_class_in_turn():
    """Momentum 0.9: one image gives 0.9 μ + 0.1 z; two give 0.81 μ + 0.09 z₁ + 0.1 z₂; each then made unit."""
    prototypes = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8], [0, 0]])
    embedded = torch.tensor([[0.0, 1], [1, 0], [-1, 0], [0, -1]])
    after = moved(prototypes, embedded, torch.tensor([1, 0, 1, 3]), 0.9)
    expected = torch.tensor([[1.0, 0], [-0.1, 0.9], [0.6, 0.8], [0, -0.1]])
    torch.testing.assert_close(after, expected / expected.norm(dim=1, keepdim=True))


def test_dispersion_is_the_log_mean_of_the_other_prototypes_closeness():
    """Cosines 0, −1 and 0 over a temperature of 0.5."""
    prototypes = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    one, far = torch.tensor(1.0), torch.tensor(-2.0).exp()
    expected = (2 * ((one + far) / 2).log() + ((one + one) / 2).log()) / 3
    torch.testing.assert_close(nearness(prototypes, 0.5), expected)
    torch.testing.assert_close(nearness(prototypes[:2], 0.1), torch.tensor(0.0))


def test_its_gradient_is_that_of_finite_differences_also_through_the_prototypes_move():
    generator = torch.Generator().manual_seed(0)
    prototypes, embedded = (normalize(torch.randn(n, 4, dtype=torch.float64, generator=generator)) for n in (3, 5))
    labels = torch.tensor([0, 1, 0, 0, 1])
    assert torch.autograd.gradcheck(lambda z: nearness(moved(prototypes, z, labels, 0.6), 0.5), embedded.requires_grad_())


def test_the_parts_of_the_loss_are_those_of_the_formula():
    recipe, learner = started(weight=0.2, dispersion=0.7, temperature=0.5, momentum=0.8)
    learner(Batch((images(1), images(2)), LABELS))
    sphere = learner.extra
    with torch.no_grad():
        sphere.critic[2].weight.normal_()
    before = sphere.prototypes.clone()
    torch.manual_seed(5)
    found = learner(Batch((images(3), images(4)), LABELS, progress=0.5))
    torch.manual_seed(5)
    outliers = recipe.synthesised(sphere.queue)
    features, labels = torch.cat([images(3), images(4)]).flatten(1), LABELS.repeat(2)
    embedded = sphere.projection(features)
    embedded = embedded / embedded.norm(dim=1, keepdim=True)
    prototypes = moved(before, embedded, labels, 0.8)
    torch.testing.assert_close(sphere.prototypes, prototypes.detach())
    torch.testing.assert_close(found.parts["compactness"], cross_entropy(embedded @ prototypes.detach().T / 0.5, labels))
    torch.testing.assert_close(found.parts["dispersion"], 0.7 * nearness(prototypes, 0.5))
    (reached,) = torch.autograd.grad(found.parts["dispersion"], sphere.projection[0].weight, retain_graph=True)
    assert reached.any()
    assert outliers.shape == (3 * 2 * 3, 3)
    shares = torch.sigmoid(sphere.critic(torch.cat([features, outliers])).squeeze(1))
    logistic = -(shares[:24].log().sum() + (1 - shares[24:]).log().sum()) / (24 + 18)
    torch.testing.assert_close(found.parts["outliers"], 0.2 * logistic)
    assert found.correct.tolist() == ((embedded @ prototypes.T).argmax(1) == labels).tolist()


@pytest.mark.parametrize(("labels", "progress"), [(LABELS, 0.39), (LABELS % 2, 0.9)])
def test_before_its_time_and_before_every_queue_is_full_only_images_count(labels, progress):
    _, learner = started()
    parts = learner(Batch((images(1), images(2)), labels, progress=progress)).parts
    assert parts["outliers"] == 0
    assert parts["compactness"] > 0


def test_boundary_features_are_those_whose_kth_neighbour_is_furthest():
    """Against distances between unit features, one class at a time."""
    rows = torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    chosen = lonely(rows, k=3, select=2, picks=2)
    for own, found in zip(rows, chosen, strict=True):
        unit = own / own.norm(dim=1, keepdim=True)
        third = torch.cdist(unit, unit).sort(1).values[:, 2]  # a row's first neighbour is itself
        expected = own[third.argsort(descending=True)[:2]]
        assert sorted(found.tolist()) == sorted(expected.tolist())


def test_a_few_of_the_boundary_features_are_drawn_at_random():
    rows = torch.randn(1, 9, 4, generator=torch.Generator().manual_seed(0))
    drawn = [tuple(lonely(rows, k=3, select=4, picks=1)[0, 0].tolist()) for _ in range(60)]
    assert len(set(drawn)) == 4


def test_outliers_are_the_draws_whose_kth_neighbour_is_furthest():
    rows = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0))
    centres = rows[:, :3]
    torch.manual_seed(7)
    outliers = around(centres, rows, k=3, sigma=0.5, sample_from=20, keep=5).view(2, 3, 5, 4)
    torch.manual_seed(7)
    noise = 0.5 * torch.randn(20, 4)
    for own, mine, found in zip(rows, centres, outliers, strict=True):
        for centre, kept in zip(mine, found, strict=True):
            drawn = centre + noise
            third = torch.cdist(normalize(drawn), normalize(own)).sort(1).values[:, 2]
            assert sorted(kept.tolist()) == sorted(drawn[third.argsort(descending=True)[:5]].tolist())


def test_the_kth_cosine_counts_from_the_nearest():
    rows = torch.tensor([[[1.0, 0], [0, 1], [-1, 0]]])
    assert [kth_cosine(rows[:, :1], rows, k).item() for k in (1, 2, 3)] == [1, 0, -1]


def test_it_learns_to_tell_two_gaussian_classes_from_the_outliers_that_it_makes():
    torch.manual_seed(0)
    settings = {"sample_number": 64, "k": 5, "select": 10, "sample_from": 40, "keep": 10, "width": 32, "sigma": 0.5}
    recipe = make_recipe("npos", weight=1, start=0.1, **settings)
    learner = Learner(nn.Sequential(nn.Identity(), nn.Linear(2, 2)), "1", 2, recipe.modules(2, 2), recipe.loss)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.05, momentum=0.9)
    labels = torch.arange(64) % 2

    def points():
        return 0.3 * torch.randn(64, 2) + torch.tensor([-1.0, 0]) * (1 - 2 * labels[:, None])

    for step in range(150):
        optimizer.zero_grad()
        sum(learner(Batch((points(),), labels, progress=step / 150)).parts.values()).backward()
        optimizer.step()
    learner.eval()
    with torch.no_grad():
        known, unknown = learner.extra.odds(points()), learner.extra.odds(recipe.synthesised(learner.extra.queue))
        assert auroc(known, unknown) > 0.9
        assert recipe.predict(learner, points()).tolist() == labels.tolist()


def test_the_last_layer_is_left_alone():
    _, learner = started()
    sum(learner(Batch((images(1), images(2)), LABELS, progress=0.9)).parts.values()).backward()
    assert all(parameter.grad is None for parameter in learner.head_layer.parameters())


def test_shortened_queues_have_fewer_neighbours_in_proportion():
    """Half as long as asked for: k = 2 of 4 and 2 boundary features of 4, from which as many outliers come."""
    recipe = make_recipe("npos", **{**SMALL, "k": 4})
    queue = ClassQueue(3, 4, 4)
    queue.push(torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), LABELS)
    torch.manual_seed(2)
    outliers = recipe.synthesised(queue)
    torch.manual_seed(2)
    centres = lonely(queue.rows, k=2, select=2, picks=2)
    assert torch.equal(outliers, around(centres, queue.rows, k=2, sigma=0.1, sample_from=10, keep=3))


def test_of_more_classes_than_memory_allows_some_are_drawn(monkeypatch):
    """2 picks · 10 draws · 8 numbers = 160 a class."""
    monkeypatch.setattr("oodkit.training.recipes.npos.MOST_NUMBERS", 330)
    recipe = make_recipe("npos", **SMALL)
    queue = ClassQueue(3, 4, 8)
    queue.push(torch.randn(24, 4) + 100 * torch.eye(3, 4)[LABELS.repeat(2)], LABELS.repeat(2))
    classes = {tuple(recipe.synthesised(queue).argmax(1).unique().tolist()) for _ in range(40)}
    assert classes == {(0, 1), (0, 2), (1, 2)}


def test_the_trained_network_says_where_no_outlier_was_made():
    recipe, learner = started(start=0)
    assert "; no outlier was ever synthesised" in recipe.finish(learner.net, learner.head, learner.extra)["note"]
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    sum(learner(Batch((images(1), images(2)), LABELS, progress=0.5)).parts.values()).backward()
    optimizer.step()
    assert recipe.finish(learner.net, learner.head, learner.extra) == {}


def test_impossible_settings_are_refused():
    with pytest.raises(UsageError, match=r"^recipe npos needs picks from 1 to select, and select up to sample_number, got "):
        make_recipe("npos", picks=3, select=2)
    with pytest.raises(UsageError, match=r"^recipe npos needs a k from 1 to sample_number, got "):
        make_recipe("npos", k=1001)
    with pytest.raises(UsageError, match=r"^recipe npos needs a momentum from 0, and below 1, got "):
        make_recipe("npos", momentum=1)
