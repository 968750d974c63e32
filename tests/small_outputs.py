"""Outputs of random features, and the same in pieces: what is computed chunk by chunk must not depend on where chunks end."""

import torch

from oodkit.outputs import Outputs


def random(rows=120, width=6, seed=0):
    """Features, and labels of three classes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator), torch.randint(3, (rows,), generator=generator)


def outputs_of(features, labels=None, classes=4):
    labels = torch.zeros(len(features), dtype=torch.int64) if labels is None else labels
    return Outputs(features, labels, logits=torch.zeros(len(features), classes))


def in_pieces(outputs, rows):
    """The same rows as several parts, so that every pass goes in other chunks."""
    return Outputs.join([outputs.subset(own) for own in torch.arange(len(outputs)).split(rows)])
