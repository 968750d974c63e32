"""What the detector of a repair learns from is what its scorer learnt from when it was told of."""

import numpy as np
import pytest
import torch

from oodkit.cli.repairing import _learnt_from
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import one_pass_scorers, parse_scorer
from oodkit.scoring import score_all

SPECS = [{"knn": "knn:k=3", "nnguide": "nnguide:k=3"}.get(name, name) for name in one_pass_scorers()]


def outputs(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    head = Head(torch.eye(4, 12), torch.zeros(4))
    labels = torch.arange(rows) % 4
    features = (torch.randn(rows, 12, generator=generator) + 2 * torch.eye(4, 12)[labels]).relu()
    return Outputs(features, labels, head=head)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("with_val", [False, True])
def test_a_detector_scores_as_the_result_says(spec, with_val):
    sets = {"fit": outputs(120, 1), **({"val": outputs(40, 2)} if with_val else {})}
    test, far = outputs(30, 3), outputs(20, 4)
    (told,) = score_all([spec], test, {"far": far}, **sets, seed=5)
    if told.reason is not None:
        pytest.skip(told.reason)
    scorer = parse_scorer(spec, "openood")
    if scorer.fits_on is not None:
        scorer.fit(_learnt_from(scorer.fits_on, sets, 5))
    assert np.array_equal(scorer.score(test).numpy(), told.id_scores)
