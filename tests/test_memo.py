"""What is remembered of outputs: made once, and again once a tensor of theirs has changed."""

import gc

import pytest
import torch

from oodkit.head import Head
from oodkit.memo import Memo, once
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.stats import class_sums

LABELS = torch.arange(40) % 3


def outputs_of(seed=0, parts=1):
    generator = torch.Generator().manual_seed(seed)
    features, weight = torch.randn(40, 5, generator=generator), torch.randn(3, 5, generator=generator)
    head = Head(weight, torch.zeros(3))
    pieces = zip(features.split(40 // parts), LABELS.clone().split(40 // parts), strict=True)
    return Outputs.join([Outputs(own, labels, head=head) for own, labels in pieces])


def test_values_are_kept_by_outputs_and_key():
    memo, made = Memo(), []
    one, other = outputs_of(), outputs_of()
    for outputs, key in ((one, 1), (one, 2), (other, 1), (one, 1), (other, 1)):
        memo.get(outputs, key, lambda: made.append(1))
    assert (len(made), len(memo)) == (3, 2)
    del one, outputs
    gc.collect()
    assert len(memo) == 1


def test_equal_tensors_are_other_keys():
    memo, outputs = Memo(), outputs_of()
    one, other = torch.ones(2), torch.ones(2)
    assert [memo.get(outputs, key, lambda value=value: value) for value, key in enumerate((one, other, one))] == [0, 1, 0]


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("column", ["features", "labels", "head"])
def test_a_value_is_made_anew_once_a_tensor_was_changed_in_place(column, parts):
    made = []
    look = once(lambda outputs: made.append(len(outputs)))
    outputs = outputs_of(parts=parts)
    look(outputs)
    (outputs.head.weight if column == "head" else outputs._parts[-1][column]).add_(1)
    look(outputs)
    look(outputs)
    assert made == [40, 40]


def test_a_chunk_knows_of_changes_to_what_it_is_cut_from():
    outputs = outputs_of(parts=2)
    chunk = next(outputs.chunks(30))
    before = chunk.versions()
    outputs._parts[1]["features"].mul_(2)
    assert chunk.versions() != before


def test_tensors_of_inference_mode_are_no_obstacle():
    with torch.inference_mode():
        features = torch.ones(2, 3)
    outputs = Outputs(features, torch.tensor([0, 1]), logits=torch.zeros(2, 2))
    assert class_sums(outputs) is class_sums(outputs)


@pytest.mark.parametrize("name", ["mds", "mds++", "rmds", "gmm", "dice", "fdbd", "nci", "she", "vim", "residual", "neco"])
def test_refit_on_features_changed_in_place_forgets_what_they_were(name):
    outputs, images = outputs_of(), outputs_of(1)
    scorer = make_scorer(name).fit(outputs)
    before = scorer.score(images)
    outputs.features.mul_(torch.linspace(0.2, 3, 5)).add_(1)
    again = scorer.fit(outputs).score(images)
    fresh = make_scorer(name).fit(Outputs(outputs.features.clone(), outputs.labels, head=outputs.head)).score(images)
    assert torch.equal(again, fresh)
    assert not torch.equal(again, before)
