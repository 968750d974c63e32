import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.nn.functional import cross_entropy

from oodkit.errors import UsageError
from oodkit.metrics import auroc
from oodkit.training.batch import Batch
from oodkit.training.class_queue import ClassQueue
from oodkit.training.recipes import make_recipe
from oodkit.training.recipes.vos import Energies, apart, shared_factor, virtual_outliers

from .toy import toy_learner

LABELS = torch.arange(12) % 3


def images(seed=0):
    return torch.randn(12, 3, 1, 1, generator=torch.Generator().manual_seed(seed)) + LABELS[:, None, None, None]


def started(**settings):
    """A recipe whose queues hold four features a class, and its learner, of twelve images, four of each class."""
    recipe = make_recipe("vos", sample_number=4, sample_from=20, **settings)
    return recipe, toy_learner(recipe, side=1)


def energies_of(classes):
    return Energies(classes, ClassQueue(classes, 2, 2))


def test_the_uncertainty_is_the_logistic_loss_of_the_weighted_energies():
    """By hand: φ = a log Σ_c w_c exp(v_c) + b; −log σ(φ) of each image and −log(1 − σ(φ)) of each outlier, over both together."""
    _, learner = started(weight=0.3)
    with torch.no_grad():
        learner.extra.log_weights.copy_(torch.tensor([0.5, -1.0, 2.0]))
        learner.extra.slope.fill_(-0.7)
        learner.extra.offset.fill_(0.2)
    torch.manual_seed(3)
    found = learner(Batch((images(),), LABELS, progress=0.4))
    torch.manual_seed(3)
    outliers = learner.classify(virtual_outliers(learner.extra.queue.rows, 20, 1))
    logits = torch.cat([learner.logits(images()), outliers])
    odds = -0.7 * (logits.exp() * torch.tensor([0.5, -1.0, 2.0]).exp()).sum(1).log() + 0.2
    shares = 1 / (1 + torch.exp(-odds))
    expected = -0.3 * (shares[:12].log().sum() + (1 - shares[12:]).log().sum()) / 15
    torch.testing.assert_close(found.parts["uncertainty"], expected)
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits[:12], LABELS))


@pytest.mark.parametrize(("labels", "progress"), [(LABELS, 0.39), (LABELS % 2, 0.9)])
def test_before_its_time_and_before_every_queue_is_full_it_is_plain_cross_entropy(labels, progress):
    _, learner = started()
    found = learner(Batch((images(),), labels, progress=progress))
    assert found.parts["uncertainty"] == 0
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(learner.logits(images()), labels))
    assert learner(Batch((images(),), LABELS, progress=0.9)).parts["uncertainty"] > 0


def test_validation_leaves_the_queues_alone():
    _, learner = started()
    learner.eval()(Batch((images(),), LABELS))
    assert learner.extra.queue.pushed.tolist() == [0, 0, 0]


def test_the_covariance_is_shared_by_the_classes():
    """Deviations (±1, 0) and (0, ±2): covariance diag(2, 8) / 4, with 1e-4 + 1e-6 · 2.5 on its diagonal."""
    deviations = torch.tensor([[[1.0, 0], [-1, 0]], [[0, 2], [0, -2]]])
    expected = torch.diag(torch.tensor([0.5, 2.0]) + 1e-4 + 2.5e-6)
    factor = shared_factor(deviations)
    torch.testing.assert_close(factor @ factor.T, expected)
    assert factor[0, 1] == 0


def test_features_in_a_plane_have_a_covariance_that_can_be_drawn_from():
    """Of rank 2, and so large that 1e-4 alone would be less than a float32 product is off by."""
    generator = torch.Generator().manual_seed(0)
    plane = 1e4 * torch.randn(50, 2, generator=generator) @ torch.randn(2, 64, generator=generator)
    factor = shared_factor(plane[None])
    torch.testing.assert_close(factor @ factor.T, plane.T @ plane / 50, rtol=0, atol=1e-5 * plane.square().sum().item() / 50)


def test_outliers_are_distributed_as_the_least_likely_of_many_draws():
    """Against the paper's procedure with torch's own Gaussian: the squared Mahalanobis lengths, and the directions' mean."""
    trials, draws = 1500, 30
    torch.manual_seed(0)
    rows = torch.randn(200, 3) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0.5, 0.3]]) + torch.tensor([5.0, 0, -2])
    outliers = virtual_outliers(rows.expand(trials, -1, -1), draws, 2)
    factor = shared_factor((rows - rows.mean(0))[None])
    gaussian = MultivariateNormal(rows.mean(0), factor @ factor.T)
    many = gaussian.sample((trials, draws))
    least = (-gaussian.log_prob(many)).topk(2, dim=1).indices
    expected = many.gather(1, least[:, :, None].expand(-1, -1, 3)).flatten(0, 1)
    white, other = (torch.linalg.solve(factor, (one - rows.mean(0)).T).T for one in (outliers, expected))
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    lengths = white.square().sum(1), other.square().sum(1)
    torch.testing.assert_close(lengths[0].quantile(levels), lengths[1].quantile(levels), rtol=0.06, atol=0)
    assert white.mean(0).abs().max() < 0.25  # lengths of 3 over √3000 draws: a standard error of 0.03


def test_each_class_has_outliers_around_its_own_mean():
    rows = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0)) + torch.tensor([-100.0, 100])[:, None, None]
    torch.manual_seed(0)
    outliers = virtual_outliers(rows, 10, 3)
    assert outliers.shape == (6, 4)
    assert (outliers[:3] < 0).all()
    assert (outliers[3:] > 0).all()


def test_gradients_are_those_of_finite_differences():
    energies = energies_of(3).double()
    logits = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def loss(logits, *parameters):
        names = [name for name, _ in energies.named_parameters()]
        odds = torch.func.functional_call(energies, dict(zip(names, parameters, strict=True)), logits)
        return apart(odds[:3], odds[3:])

    assert torch.autograd.gradcheck(loss, (logits, *energies.parameters()))


def test_large_logits_stay_finite():
    energies = energies_of(2)
    odds = energies(torch.tensor([[1e4, 0], [-1e4, -2e4]]))
    assert odds.tolist() == [1e4, -1e4]
    assert apart(odds[1:], odds[:1]) == 1e4


def test_energies_learn_to_tell_two_gaussian_classes_from_outliers_between_them():
    """In the plane of two logits: classes at (4, 0) and (0, 4), outliers at (0, 0)."""
    torch.manual_seed(0)
    energies = energies_of(2)
    centres = torch.tensor([[4.0, 0], [0, 4]])
    optimizer = torch.optim.SGD(energies.parameters(), lr=0.3)
    for _ in range(200):
        known = energies(centres[torch.arange(40) % 2] + 0.5 * torch.randn(40, 2))
        unknown = energies(0.5 * torch.randn(40, 2))
        optimizer.zero_grad()
        loss = apart(known, unknown)
        loss.backward()
        optimizer.step()
    assert loss < 0.2  # log 2 = 0.69 by chance
    assert auroc(known, unknown) > 0.98


def test_the_trained_network_says_where_no_outlier_was_made():
    recipe, learner = started(start=0)
    said = recipe.finish(learner.net, learner.head, learner.extra)
    assert said["note"].startswith(
        "no outlier was ever synthesised for training, since the queue of some class was not full in time"
    )
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    sum(learner(Batch((images(),), LABELS, progress=0.5)).parts.values()).backward()
    optimizer.step()
    assert recipe.finish(learner.net, learner.head, learner.extra) == {}


def test_impossible_settings_are_refused():
    with pytest.raises(UsageError, match=r"^recipe vos needs a select from 1 to sample_from, got .*sample_from=2, select=3"):
        make_recipe("vos", sample_from=2, select=3)
    with pytest.raises(UsageError, match=r"^recipe vos needs a start from 0, and below 1, got .*start=1.0$"):
        make_recipe("vos", start=1)
    with pytest.raises(UsageError, match=r"^recipe vos needs a sample_number of 2 or more"):
        make_recipe("vos", sample_number=1)
