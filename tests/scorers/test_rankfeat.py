import math

import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def test_it_is_the_energy_of_what_the_probe_found():
    """lse(1, 2) = 2 + log(1 + e^−1), whatever the plain logits are; of 10,000 it is 10,000 and not infinite."""
    outputs = Outputs(torch.zeros(2, 1), logits=torch.zeros(2, 2))
    found = torch.tensor([[1.0, 2], [1e4, -1e4]])
    outputs = outputs.with_extras([{"indices": outputs.indices, "rankfeat": found}])
    assert make_scorer("rankfeat").score(outputs).tolist() == pytest.approx([2 + math.log(1 + math.exp(-1)), 1e4])
