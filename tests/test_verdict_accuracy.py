"""Which accuracies make the verdict suspect the input: class order or preprocessing."""

import numpy as np
import pytest

from oodkit.evaluation import results
from oodkit.lead import knn_lead
from oodkit.metrics import Estimate, accuracy
from oodkit.verdict import Verdict, give_verdict

from .judged import scores


def judged(found: Estimate, num_classes: int) -> Verdict:
    groups, scored = {"far": "far"}, [scores("mls", 2), scores("knn", 2)]
    return give_verdict("net", found, num_classes, knn_lead(scored, groups, num_classes), results(scored, groups))


def taken_by_number(num_classes: int, each: int) -> Estimate:
    """The accuracy of a perfect network that learnt the classes in the order of text."""
    classes = np.repeat(np.arange(num_classes), each)
    place = {name: index for index, name in enumerate(sorted(map(str, range(num_classes))))}
    predictions = np.array([place[str(one)] for one in classes])
    return accuracy(predictions, classes)


@pytest.mark.parametrize("num_classes", [11, 20, 50, 200])
@pytest.mark.parametrize("each", [5, 50])
def test_a_network_trained_on_folders_in_the_order_of_text_is_suspect(num_classes, each):
    found = taken_by_number(num_classes, each)
    assert found.value == pytest.approx(2 / num_classes)
    assert judged(found, num_classes).code == "input-suspect"


def test_the_sentence_claims_no_more_than_the_interval_shows():
    by_chance = judged(Estimate(0.1, 0.05, 0.15), 10).sentence
    assert by_chance == "The accuracy of net can't be told from chance; class order or preprocessing may be wrong."
    twice = judged(Estimate(0.2, 0.17, 0.23), 10).sentence
    assert twice == "The accuracy of net is near chance, as far as these images tell; class order or preprocessing may be wrong."


@pytest.mark.parametrize(("found", "num_classes"), [(Estimate(0.26, 0.22, 0.30), 10), (Estimate(0.02, 0.017, 0.024), 1000)])
def test_a_weak_network_well_above_twice_chance_is_not_suspect(found, num_classes):
    assert judged(found, num_classes).code != "input-suspect"


def test_of_few_classes_twice_chance_is_nothing_to_suspect():
    assert judged(Estimate(0.66, 0.60, 0.72), 3).code != "input-suspect"
