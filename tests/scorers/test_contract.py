"""What every registered scorer promises. A new scorer is covered by registering itself."""

import json
import re

import pytest
import torch

from oodkit.errors import NotApplicableError, NotFittedError, UsageError
from oodkit.head import Head
from oodkit.metrics import auroc
from oodkit.moments import moments
from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.probes import parse_probe
from oodkit.scorers import PRESETS, SCORERS, load_scorer, make_scorer, one_pass_scorers, parse_scorer
from oodkit.specs import spec_of

PROBED = [name for name in SCORERS if name not in one_pass_scorers()]
LEARNING = [name for name, scorer in SCORERS.items() if scorer.fits_on is not None]

every_scorer = pytest.mark.parametrize("name", SCORERS)
every_learning_scorer = pytest.mark.parametrize("name", LEARNING)


def fitted(name, toy, preset="openood"):
    scorer = make_scorer(name, preset)
    return scorer.fit(toy.outputs_for(scorer.fits_on)) if scorer.fits_on else scorer


def permuted(outputs, seed=0):
    order = torch.randperm(len(outputs), generator=torch.Generator().manual_seed(seed))
    return outputs.subset(order), order


def in_pieces(outputs, rows):
    """As in ``small_outputs``, which is not at hand where this file alone is run on another's scorer."""
    return Outputs.join([outputs.subset(own) for own in torch.arange(len(outputs)).split(rows)])


@every_scorer
def test_it_is_described(name):
    kind = SCORERS[name]
    assert kind.name == name
    assert kind.title
    assert kind.paper
    assert kind.uses in ("logits", "features", "both")
    assert kind.fits_on in ("train", "val", None)
    assert set(kind.presets) <= set(PRESETS)
    assert len(kind.__doc__.splitlines()) > 3, "the docstring is the scorer's page: formula, paper, settings, where it fails"


@every_scorer
@pytest.mark.parametrize("preset", PRESETS)
def test_higher_is_in_distribution_under_either_preset(name, preset, toy):
    """OpenMax lowers leading logits far from their class's mean. Those of the toy's OOD images are about 0, with nothing to lower;
    its OOD images are ID images with features three times as long."""
    scorer = fitted(name, toy, preset)
    ood = toy.probed(Outputs(3 * toy.test.features, head=toy.head)) if name == "openmax" else toy.ood
    assert auroc(scorer.score(toy.test), scorer.score(ood)) > 0.99


@every_scorer
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_one_finite_float64_per_row(name, rows, toy):
    scores = fitted(name, toy).score(toy.test.subset(torch.arange(rows)))
    assert scores.shape == (rows,)
    assert scores.dtype == torch.float64
    assert scores.isfinite().all()


@every_scorer
def test_scores_do_not_depend_on_the_chunks(name, toy):
    scorer = fitted(name, toy)
    torch.testing.assert_close(scorer.score(in_pieces(toy.test, 7)), scorer.score(toy.test), rtol=1e-5, atol=1e-6)


@every_scorer
def test_several_chunks_of_many_small_parts_are_as_good_as_one_part(name, toy):
    """As a set of many shards is: fitted on and scored, with chunks that end where no part does."""
    rows = 2 * CHUNK_ROWS + 204
    noise = 0.05 * torch.randn(rows, 32, generator=torch.Generator().manual_seed(5)).abs()
    numbers = torch.arange(rows) % len(toy.train)
    whole = toy.probed(Outputs(toy.train.features[numbers] + noise, toy.train.labels[numbers], head=toy.head))
    parts = in_pieces(whole, 37)
    one, other = (make_scorer(name).fit(images) for images in (whole, parts))
    assert one.fitted_on == other.fitted_on == (rows if one.fits_on else 0)
    torch.testing.assert_close(other.score(parts), one.score(whole), rtol=1e-5, atol=1e-6)


@every_scorer
def test_permuted_images_get_permuted_scores(name, toy):
    scorer = fitted(name, toy)
    shuffled, order = permuted(toy.test)
    torch.testing.assert_close(scorer.score(shuffled), scorer.score(toy.test)[order], rtol=1e-5, atol=1e-6)


@every_scorer
def test_scores_never_read_labels(name, toy):
    scorer = fitted(name, toy)
    unlabelled = toy.test.with_labels(torch.full((len(toy.test),), -1))
    assert torch.equal(scorer.score(unlabelled), scorer.score(toy.test))


@every_scorer
def test_inputs_stay_as_they_were(name, toy):
    tensors = [toy.train.features, toy.val.features, toy.test.features, toy.head.weight, toy.head.bias]
    before = [tensor.clone() for tensor in tensors]
    predictions = toy.test.predictions()
    fitted(name, toy).score(toy.test)
    assert all(torch.equal(*pair) for pair in zip(tensors, before, strict=True))
    assert torch.equal(toy.test.predictions(), predictions)


@every_scorer
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_features_give_the_same_scores(name, half, toy):
    halves = [toy.probed(Outputs(one.features.to(half), one.labels, head=toy.head)) for one in (toy.train, toy.val, toy.test)]
    singles = [toy.probed(Outputs(one.features.float(), one.labels, head=toy.head)) for one in halves]
    scores = []
    for train, val, test in (halves, singles):
        scorer = make_scorer(name)
        scorer.fit({"train": train, "val": val, None: test}[scorer.fits_on])
        scores.append(scorer.score(test))
    torch.testing.assert_close(*scores, rtol=1e-6, atol=1e-6)


@every_scorer
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_gpu_gives_the_same_scores(name, toy):
    scorer = fitted(name, toy)
    expected = scorer.score(toy.test)
    images = toy.outputs_for(scorer.fits_on)
    there = make_scorer(name)
    there = there.fit(images.to("cuda")) if images is not None else there
    torch.testing.assert_close(there.score(toy.test.to("cuda")), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scorer.score(toy.test.to("cuda")), expected, rtol=1e-5, atol=1e-5)


@every_learning_scorer
def test_scoring_before_fitting_is_a_typed_error(name, toy):
    with pytest.raises(NotFittedError, match=f"{re.escape(name)} has not been fitted: call fit"):
        make_scorer(name).score(toy.test)


@every_learning_scorer
def test_outputs_of_another_network_are_a_reason(name, toy, tmp_path):
    """So that nothing broadcasts; a scorer read from its file knows too."""
    fitted(name, toy).save(tmp_path / "scorer.safetensors")
    narrow = toy.probed(Outputs(toy.test.features[:, :16], head=Head(toy.head.weight[:, :16], toy.head.bias)))
    fewer = toy.probed(Outputs(toy.test.features, head=Head(toy.head.weight[:3], toy.head.bias[:3])))
    for scorer in (fitted(name, toy), load_scorer(tmp_path / "scorer.safetensors")):
        for other, got in ((narrow, "16 and 4"), (fewer, "32 and 3")):
            with pytest.raises(NotApplicableError, match=f"fitted on features of 32 entries and 4 classes, got {got}; fit"):
                scorer.score(other)


@every_learning_scorer
def test_nothing_to_learn_from_is_a_reason(name, toy):
    with pytest.raises(NotApplicableError, match="got none"):
        make_scorer(name).fit(toy.train.subset(torch.arange(0)))


@every_learning_scorer
def test_what_it_learns_depends_on_the_images_alone(name, toy):
    """Fitted again, in another order of the images, or in other chunks, it gives the same scores."""
    scorer = fitted(name, toy)
    images = toy.outputs_for(scorer.fits_on)
    before = scorer.score(toy.test)
    for other in (images, permuted(images)[0], in_pieces(images, 50)):
        torch.testing.assert_close(scorer.fit(other).score(toy.test), before, rtol=1e-5, atol=1e-6)
    assert scorer.fitted_on == len(images)


@every_scorer
@pytest.mark.parametrize("preset", PRESETS)
def test_saved_and_loaded_it_is_the_same(name, preset, toy, tmp_path):
    scorer = fitted(name, toy, preset)
    scorer.save(tmp_path / "scorer.safetensors")
    loaded = load_scorer(tmp_path / "scorer.safetensors")
    assert torch.equal(loaded.score(toy.test), scorer.score(toy.test))
    assert loaded.settings() == scorer.settings()
    assert (loaded.name, loaded.fits_on, loaded.fitted_on) == (scorer.name, scorer.fits_on, scorer.fitted_on)


@every_learning_scorer
def test_saved_before_it_learnt_it_loads_unfitted(name, toy, tmp_path):
    make_scorer(name).save(tmp_path / "scorer.safetensors")
    with pytest.raises(NotFittedError):
        load_scorer(tmp_path / "scorer.safetensors").score(toy.test)


@every_scorer
@pytest.mark.parametrize("preset", PRESETS)
def test_settings_are_resolved_plain_and_read_back(name, preset, toy):
    """After fitting no setting is left open, and the settings written as a spec make the same scorer."""
    settings = fitted(name, toy, preset).settings()
    assert json.loads(json.dumps(settings)) == settings
    assert None not in settings.values()
    assert parse_scorer(spec_of(name, settings)).settings() == settings


@every_scorer
def test_an_unknown_setting_is_a_usage_error(name):
    with pytest.raises(UsageError, match=f"unknown setting of {re.escape(name)}: 'kk'"):
        make_scorer(name, kk=1)


def test_a_scorer_that_gives_one_number_for_all_images_is_told_of(toy):
    class Careless(SCORERS["mls"]):
        def _score(self, chunk):
            return chunk.logits.max()

    expected = re.escape(f"mls must give {len(toy.test)} images a score each, got (); mend its _score")
    with pytest.raises(UsageError, match=expected):
        Careless().score(toy.test)


@pytest.mark.parametrize("name", [name for name, scorer in SCORERS.items() if scorer.uses == "both"])
def test_outputs_without_a_head_give_a_score_or_a_reason(name, toy):
    bare = toy.probed(Outputs(toy.train.features, toy.train.labels, logits=toy.train.logits))
    try:
        assert make_scorer(name).fit(bare).score(bare).isfinite().all()
    except NotApplicableError as error:
        assert "needs the head" in str(error)  # noqa: PT017 (either outcome is right, and nothing else)


@pytest.mark.parametrize("name", PROBED)
def test_without_its_probe_it_says_how_to_get_it(name, toy):
    bare = Outputs(toy.val.features, toy.val.labels, head=toy.head)
    with pytest.raises(NotApplicableError, match=rf"{name} needs a probe, .*: name it, --scorer {name}, or extract\(…, probes="):
        make_scorer(name).fit(bare).score(bare)


@pytest.mark.parametrize("name", PROBED)
def test_a_probe_that_the_network_rules_out_is_the_reason(name, toy):
    bare = Outputs(toy.val.features, toy.val.labels, head=toy.head)
    bare.obstacles = {make_scorer(name).probe(): "it has no pixels"}
    with pytest.raises(NotApplicableError, match=f"{name} needs a probe that can't serve here: it has no pixels"):
        make_scorer(name).fit(bare).score(bare.subset(torch.arange(3)))


@pytest.mark.parametrize("name", PROBED)
def test_what_a_probe_found_is_not_taken_for_that_of_another_head(name, toy):
    """The probe ran the network with its own head, of which its logits, or the gradient behind its features, still tell."""
    scorer = make_scorer(name).fit(toy.val)
    with pytest.raises(NotApplicableError, match=f"{name} needs a probe.*: it ran with another head; extract again with the head"):
        scorer.score(toy.test.with_head(Head(-toy.head.weight, toy.head.bias)))


@pytest.mark.parametrize("name", PROBED)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_probe_that_it_names_is_there_under_that_very_name(name, preset):
    """Neither side of the waist knows the other: that both spell the settings alike is held here."""
    spec = make_scorer(name, preset).probe()
    assert parse_probe(spec).spec() == spec


def test_moments_are_shared_between_scorers_and_forgotten_with_the_outputs(toy):
    assert moments(toy.train) is moments(toy.train)
    assert moments(toy.train) is not moments(toy.train.with_head(toy.head))
