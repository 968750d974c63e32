import pytest
import torch

from oodkit.errors import UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer, relation


def relations(queries, train):
    """(n, N) in float64, all pairs at once."""
    features = [torch.nn.functional.normalize(one.features.double()) for one in (queries, train)]
    softmaxes = [one.logits.double().softmax(1) for one in (queries, train)]
    return (features[0] @ features[1].mT).clamp(min=0) * (softmaxes[0] @ softmaxes[1].mT)


def many_classes(rows, seed, sharpness=1.0):
    """Signed features and 40 classes, so that most pairs agree on nothing and some lie near the threshold."""
    generator = torch.Generator().manual_seed(0)
    head = Head(sharpness * torch.randn(40, 24, generator=generator), torch.zeros(40))
    return Outputs(torch.randn(rows, 24, generator=generator.manual_seed(seed)), head=head)


def test_by_hand():
    """Softmaxes (½, ½) of the query, (1, 0), (½, ½) and (0, 1) of the bank; cosines 1, 0.6, −1. r = ½, 0.6 · ½, 0: Σ r = 0.8,
    Σ r² = 0.34; above 0.4 there is ½ alone.
    """
    logits = torch.tensor([[1000.0, 0], [3, 3], [0, 1000]])
    train = Outputs(torch.tensor([[2.0, 0], [3, 4], [-1, 0]]), torch.tensor([0, 1, 1]), logits=logits)
    query = Outputs(torch.tensor([[7.0, 0]]), logits=torch.tensor([[-5.0, -5]]))
    for settings, expected in (({}, 0.8), ({"exponent": 2}, 0.34), ({"threshold": 0.4}, 0.5)):
        assert make_scorer("relation", **settings).fit(train).score(query).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("exponent", [1, 2, 8])
@pytest.mark.parametrize("threshold", [0.0, 0.03, 0.3])
@pytest.mark.parametrize("sharpness", [0.05, 0.5, 5.0])
def test_what_is_passed_over_changes_nothing(exponent, threshold, sharpness):
    """Against all pairs; r within float32 of the threshold may fall on either side, and there are none such here."""
    train, test = many_classes(700, 1, sharpness), many_classes(150, 2, sharpness)
    pairs = relations(test, train)
    assert not ((pairs - threshold).abs() < 1e-7 * threshold).any()
    expected = torch.where(pairs > threshold, pairs**exponent, 0).sum(1)
    scores = make_scorer("relation", exponent=exponent, threshold=threshold).fit(train).score(test)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-12)


def test_most_blocks_are_passed_over():
    """With confident predictions of 40 classes; counted are the pairs of a query and a block."""
    train, test = many_classes(1280, 1, 20.0), many_classes(200, 2, 20.0)
    scorer = make_scorer("relation").fit(train)
    bound = scorer.state["peaks"] @ test.logits.softmax(1).mT
    assert (bound > 0.03).double().mean() < 0.25


def test_the_bound_holds():
    """No image of a block agrees with a query more than its peaks do."""
    train, test = many_classes(300, 1), many_classes(50, 2)
    state = make_scorer("relation").fit(train).state
    agreement = torch.stack([block.amax(0) for block in (state["softmaxes"] @ test.logits.softmax(1).mT).split(relation.BLOCK)])
    assert (agreement <= state["peaks"] @ test.logits.softmax(1).mT * (1 + 1e-6)).all()


def test_negative_cosines_count_nothing_with_any_exponent():
    train = Outputs(torch.tensor([[-1.0, 0]]), logits=torch.zeros(1, 2))
    query = Outputs(torch.tensor([[1.0, 0]]), logits=torch.zeros(1, 2))
    for exponent in (1, 2):
        assert make_scorer("relation", exponent=exponent, threshold=0.0).fit(train).score(query).item() == 0


def test_a_share_of_the_images_gives_about_that_share_of_the_score(toy):
    whole, half = (make_scorer("relation", fraction=fraction).fit(toy.train).score(toy.test) for fraction in (1.0, 0.5))
    torch.testing.assert_close(half / whole, torch.full_like(whole, 0.5), rtol=0.1, atol=0)


def test_logits_that_are_not_finite_give_no_score():
    train = many_classes(100, 1)
    logits = train.logits.clone()
    logits[4, 0] = torch.nan
    scores = make_scorer("relation").fit(train)._score(Outputs(train.features, logits=logits))
    assert scores.isnan().nonzero().flatten().tolist() == [4]


@pytest.mark.parametrize("settings", [{"exponent": 0}, {"threshold": 1.0}, {"threshold": -0.1}])
def test_impossible_settings(settings):
    with pytest.raises(UsageError, match="an exponent of at least 1, a threshold from 0 to below 1"):
        make_scorer("relation", **settings)
