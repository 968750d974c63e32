"""A head of three classes, and ID and OOD images that it tells apart the better the more they are shifted."""

import torch

from oodkit.head import Head
from oodkit.outputs import Outputs

GROUPS = {"a": "near", "b": "near"}


def outputs_of(rows, seed, shift=0.0, labelled=True):
    generator = torch.Generator().manual_seed(seed)
    head = Head(torch.eye(3, 8), torch.zeros(3))
    features = torch.randn(rows, 8, generator=generator).abs()
    labels = torch.arange(rows) % 3
    features[torch.arange(rows), labels] += shift
    return Outputs(features, labels if labelled else None, head=head)


def one_of_each():
    return {
        "id_test": outputs_of(60, 0, 2.0),
        "ood": {"a": outputs_of(30, 1, 1.0, False), "c": outputs_of(50, 2, 0.5, False), "b": outputs_of(40, 3, 0.0, False)},
        "fit": outputs_of(200, 4, 2.0),
    }
