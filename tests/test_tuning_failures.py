"""What fails in one combination of a search is its reason, and the search goes on."""

import pytest
import torch

from oodkit.scorers import SCORERS
from oodkit.tuning import tune

from .three_classes import one_of_each, outputs_of


@pytest.fixture
def sets():
    made = one_of_each()
    return {"ood_val": {"a": made["ood"]["a"]}, "fit": made["fit"], "val": outputs_of(40, 9, 2.0)}


@pytest.mark.parametrize("step", ["_fit", "_score"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 8 GiB"),
            "knn ran out of memory on cpu: CUDA out of memory.",
        ),
        (MemoryError(), "knn ran out of memory on cpu: no more is known"),
        (torch.linalg.LinAlgError("failed to converge"), "knn met a decomposition that did not converge: failed to converge"),
    ],
    ids=["accelerator", "machine", "decomposition"],
)
def test_what_fails_for_want_of_memory_or_for_the_numbers_is_a_row_with_its_reason(step, error, reason, sets, monkeypatch):
    """As where all scorers of a run are scored: here k = 100 alone fails."""
    original = getattr(SCORERS["knn"], step)

    def failing(scorer, images):
        if scorer.k == 100:
            raise error
        return original(scorer, images)

    monkeypatch.setattr(SCORERS["knn"], step, failing)
    (found,) = tune(**sets, scorers=["knn"])
    assert [one.spec for one in found.tried if one.reason is not None] == ["knn:k=100"]
    assert next(one.reason for one in found.tried if one.reason).startswith(reason)
    assert found.chosen is not None


def test_a_mistake_in_the_code_ends_the_search(sets, monkeypatch):
    monkeypatch.setattr(SCORERS["knn"], "_score", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        tune(**sets, scorers=["knn"])
