"""The search over the scorers that there are: every one of them, and what a search leaves as it was."""

import numpy as np
import pytest
import torch

from oodkit.diagnosis import diagnose
from oodkit.evaluation import evaluate
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import one_pass_scorers
from oodkit.tuning import candidates, tune


def random_outputs(rows: int, seed: int, shift: float) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, 12, generator=generator).abs()
    labels = torch.arange(rows) % 3
    features[torch.arange(rows), labels] += shift
    return Outputs(features, labels, head=Head(torch.randn(3, 12, generator=torch.Generator().manual_seed(9)), torch.zeros(3)))


@pytest.fixture
def sets() -> dict:
    return {"id_test": random_outputs(60, 0, 2), "ood": {"far": random_outputs(50, 1, 0)}, "fit": random_outputs(200, 2, 2)}


def test_gen_keeps_its_hundred_probabilities_where_there_are_but_three_classes():
    """Every m above C takes effect as C: the first of these would be a choice that changes nothing."""
    (found,) = tune({"v": random_outputs(30, 4, 0)}, scorers=["gen:gamma=0.1"], val=random_outputs(40, 3, 2))
    assert len({one.auroc for one in found.tried}) == 1
    assert found.spec == "gen:gamma=0.1"


def test_every_scorer_in_one_go_and_its_own_setting_is_among_those_tried(sets):
    lines: list[str] = []
    val, ood_val = random_outputs(40, 3, 2), random_outputs(30, 4, 0)
    found = tune({"v": ood_val}, fit=sets["fit"], val=val, progress=lines.append)
    assert [one.scorer for one in found] == one_pass_scorers()
    for one in found:
        assert len(one.tried) - len(candidates(one.scorer)) in {0, 1}
        if one.chosen is not None:
            assert one.chosen.auroc == max(tried.auroc for tried in one.tried if tried.auroc is not None)
            judged = evaluate([one.spec], val, {"v": ood_val}, fit=sets["fit"], val=val)[0]
            assert judged.auroc.value == pytest.approx(one.chosen.auroc, abs=1e-12), "the spec is what was chosen"
    assert lines[0].startswith("trying ")


def test_a_diagnosis_goes_on_with_the_chosen_settings_and_says_so(sets):
    tunings = tune({"v": random_outputs(30, 4, 0)}, scorers=["gen", "msp"], val=random_outputs(40, 3, 2))
    found = diagnose("net", **sets, tuning=tunings)
    rows = {row.scorer: row for row in found.rows}
    assert set(rows) == {"gen", "msp", "mls", "knn"}
    assert rows["gen"].spec == tunings[0].spec
    assert rows["gen"].tuned == tunings[0].remark()
    assert rows["msp"].tuned is None
    assert found.tuning == tunings


def test_a_search_changes_no_prediction_no_accuracy_no_head_and_no_outputs(sets):
    """Whatever is chosen, the accuracy is the plain network's."""
    val, ood_val = random_outputs(40, 3, 2), random_outputs(30, 4, 0)
    given = [sets["id_test"], sets["ood"]["far"], sets["fit"], val, ood_val]
    before = [[one.features.clone(), one.logits.clone(), one.labels.clone(), one.predictions()] for one in given]
    weights = [(one.head.weight.clone(), one.head.bias.clone()) for one in given]
    plain = diagnose("net", **sets, val=val)
    tuned = diagnose("net", **sets, val=val, tuning=tune({"v": ood_val}, fit=sets["fit"], val=val))
    assert tuned.accuracy == plain.accuracy
    assert any(row.tuned and "tuned on v" in row.tuned for row in tuned.rows)
    for one, columns, (weight, bias) in zip(given, before, weights, strict=True):
        after = [one.features, one.logits, one.labels, one.predictions()]
        assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(after, columns, strict=True))
        assert (torch.equal(one.head.weight, weight), torch.equal(one.head.bias, bias)) == (True, True)


def test_the_same_seed_chooses_the_same(sets):
    ood_val = {"v": random_outputs(30, 4, 0)}
    first, again = (tune(ood_val, scorers=["gen", "react", "knn"], fit=sets["fit"], seed=1) for _ in range(2))
    assert first == again
    np.testing.assert_array_equal([one.n_id for one in first], 20)
