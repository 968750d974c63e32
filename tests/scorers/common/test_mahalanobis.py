"""What the Mahalanobis scorers share: whiteners at fit, and the distances of a chunk at score."""

import pytest
import torch

from oodkit import moments
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scorers.common.mahalanobis import Mahalanobis, _found
from oodkit.scoring import score_all

PLAIN, UNIT = ("mds", "rmds", "gmm"), ("mds++", "rmds++")


@pytest.fixture
def centred(monkeypatch):
    """The scorers that read the features of a chunk, in order."""
    readers, original = [], Mahalanobis._centred
    monkeypatch.setattr(Mahalanobis, "_centred", lambda self, chunk: readers.append(self.name) or original(self, chunk))
    return readers


def test_scorers_of_one_run_find_the_distances_of_each_chunk_once(toy, centred):
    """In any order; those on unit features share theirs. The scores are those of each scorer alone."""
    names = ["mds++", "gmm", "mds", "rmds++", "rmds"]
    scored = score_all(names, toy.test, {"ood": toy.ood}, fit=toy.train)
    assert centred == ["mds++", "gmm"] * 2
    for one in scored:
        alone = make_scorer(one.name).fit(toy.train)
        torch.testing.assert_close(torch.from_numpy(one.id_scores), alone.score(toy.test), rtol=0, atol=0)
        torch.testing.assert_close(torch.from_numpy(one.ood_scores["ood"]), alone.score(toy.ood), rtol=0, atol=0)


def test_scorers_fitted_on_other_images_share_nothing(toy, centred):
    half = toy.train.subset(torch.arange(100))
    (chunk,) = toy.test.chunks()
    one, other = make_scorer("mds").fit(toy.train), make_scorer("mds").fit(half)
    first, second = one.score(chunk), other.score(chunk)
    assert len(centred) == 2
    assert not torch.equal(first, second)
    assert torch.equal(one.score(chunk), first)
    assert len(centred) == 2


def test_distances_are_forgotten_with_their_chunk(toy):
    before = len(_found)
    make_scorer("mds").fit(toy.train).score(toy.test)
    assert len(_found) == before


def test_one_decomposition_serves_all_on_plain_features_and_one_all_on_unit_features(toy, monkeypatch):
    decomposed, original = [], moments.whitening
    monkeypatch.setattr(moments, "whitening", lambda *given: decomposed.append(1) or original(*given))
    for name in (*PLAIN, *UNIT):
        make_scorer(name).fit(toy.train)
    assert decomposed == [1, 1]


@pytest.mark.parametrize("name", [*PLAIN, *UNIT])
def test_class_means_lie_along_fewer_coordinates_than_there_are_classes(name, toy):
    """3 coordinates for 4 classes, 2 for the 3 that have images, none for 1; the rest of the whitener counts all the same."""
    for classes in (4, 3, 1):
        train = toy.train.subset(toy.train.labels < classes)
        assert make_scorer(name).fit(train).state["centres"].shape == (classes, classes - 1)


def test_a_single_class_leaves_nothing_to_tell_from_the_background(toy):
    train = toy.train.subset(toy.train.labels == 0)
    torch.testing.assert_close(make_scorer("rmds").fit(train).score(toy.test), torch.zeros(90, dtype=torch.float64))


def test_float64_features_are_not_written_to(toy):
    outputs = [Outputs(one.features.double(), one.labels, head=toy.head) for one in (toy.train, toy.test)]
    before = [one.features.clone() for one in outputs]
    for name in (*PLAIN, *UNIT, "neco", "residual", "vim"):
        make_scorer(name).fit(outputs[0]).score(outputs[1])
    assert all(torch.equal(one.features, own) for one, own in zip(outputs, before, strict=True))
