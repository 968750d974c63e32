"""What fits together as the columns of the same images."""

import numpy as np
import pytest
import torch

from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs

HEAD = Head(torch.full((2, 3), 0.5), torch.zeros(2))


@pytest.mark.parametrize(
    "whole", [torch.arange(6).reshape(2, 3), np.arange(6, dtype=np.uint8).reshape(2, 3)], ids=["tensor", "array"]
)
def test_features_of_whole_numbers_are_refused(whole):
    """Logits are made in the precision of the features: of a weight of ½ they would leave nothing."""
    with pytest.raises(OutputsError, match=r"features must be floats, got torch\.u?int\d+; give them in float32"):
        Outputs(whole, head=HEAD)
    assert Outputs(torch.as_tensor(whole).float(), head=HEAD).logits[0].tolist() == [1.5, 1.5]


def test_logits_of_whole_numbers_are_refused():
    with pytest.raises(OutputsError, match=r"logits must be floats, got torch\.bool; give them in float32"):
        Outputs(torch.ones(2, 3), logits=torch.ones(2, 2, dtype=torch.bool))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"features": torch.ones(2)}, r"features must be \(N, D\), got \(2,\)"),
        ({"logits": torch.ones(2)}, r"logits must be \(N, C\), got \(2,\)"),
        ({"logits": torch.ones(2, 4)}, r"logits must be \(N, 2 classes of the head\), got \(2, 4\)"),
        ({"logits": torch.ones(3, 2)}, "features have 2 rows, logits have 3"),
        ({"labels": torch.zeros(1)}, "features have 2 rows, labels have 1"),
        ({"labels": torch.tensor([0, -2])}, "labels must be classes from 0, or −1 for none of them, got -2"),
        ({"indices": torch.zeros(2, 1)}, r"indices must be \(N,\), got \(2, 1\)"),
        ({"extras": {"odin": torch.tensor(1.0)}}, "features have 2 rows, odin have none"),
        ({"head": None}, r"outputs need logits \(N, C\) or the head that makes them, got neither"),
    ],
)
def test_what_does_not_fit_together_is_told(given, told):
    with pytest.raises(OutputsError, match=told):
        Outputs(**{"features": torch.ones(2, 3), "head": HEAD, **given})
