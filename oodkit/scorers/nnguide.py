"""Nearest-neighbour guidance of the energy."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.bank import bank_share, largest_products, sample, unit_bank
from oodkit.scorers.base import Scorer, State
from oodkit.stats import unit_rows


@dataclass
class NNGuide(Scorer):
    """lse(z) · mean of the k largest ⟨f̂, g_i⟩ over a bank g_i = f̂_i · lse(z_i) of training images.

    Park, Jung and Teoh, ICCV 2023, arXiv 2309.14888; roomo7time/nnguide. Learns the bank, float32; exact search.
    k: how many neighbours; 100 under ``openood``, 10 under ``paper``; clipped to the size of the bank. fraction: the share of the
    training images that the bank holds; 0.01 under ``openood``, 1 under ``paper``; raised where it leaves fewer than k images.
    seed: of the draw, which takes its share of every class whatever the order of the images (OpenOOD takes the first
    batches). The authors add ReAct at 95 for ResNet-50; that is left out here.

    Fails with the energy: label smoothing costs it 20 points on ResNet-50. A negative energy turns the product's sign.
    """

    name = "nnguide"
    title = "Nearest-neighbour guidance"
    paper = "arXiv:2309.14888"
    uses = "both"
    presets: ClassVar = {"paper": {"k": 10, "fraction": 1.0}}
    fits_on = "train"

    k: int = 100
    fraction: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        self.require(self.k >= 1, "k of at least 1")
        self.require(0 < self.fraction <= 1, "a fraction above 0 and at most 1")

    def _fit(self, outputs: Outputs) -> State:
        bank = unit_bank(sample(outputs, self.fraction, least=self.k, seed=self.seed), energy=True)
        return {
            "bank": bank,
            "k": torch.tensor(min(self.k, len(bank))),
            "fraction": bank_share(bank, outputs),
        }

    def _score(self, chunk: Outputs) -> Tensor:
        queries = unit_rows(chunk.features)
        products = largest_products(queries, self.learnt("bank", queries), self.settings()["k"])
        return chunk.logits.double().logsumexp(1) * products.double().mean(1)
