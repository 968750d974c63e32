"""What the scorers that search for nearest neighbours share: a bank, and an exact or an approximate search in it."""

from typing import Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common import ivf
from oodkit.scorers.common.bank import BankScorer, bank_share, nearest, unit_bank


class NeighbourScorer(BankScorer):
    """A scorer of the largest inner products of f̂ with a bank.

    index: ``"exact"``, recall 1; or ``"ivf"``, see ``oodkit.scorers.common.ivf``, with the recall as measured when it is built.
    """

    index: Literal["exact", "ivf"]

    def learn_bank(self, outputs: Outputs, k: int, *, energy: bool = False) -> State:
        """The bank with its index, ``k`` clipped to it, and the ``fraction`` that it is of the images."""
        rows = self.rows(outputs, least=k)
        k = min(k, len(rows))
        if self.index == "exact":
            state = {"bank": unit_bank(outputs, rows, energy=energy)}
        else:
            asked = ivf.asked(len(rows), self.seed)
            state = ivf.build(unit_bank(outputs, rows, energy=energy), asked, unit_bank(outputs, rows[asked]), k, self.seed)
        return {**state, "k": torch.tensor(k), "fraction": bank_share(state["bank"], outputs)}

    def largest_products(self, queries: Tensor) -> Tensor:
        """(n, k) in descending order, of unit queries (n, D); NaN for one that is not finite."""
        queries, k = queries.float(), int(self.settings()["k"])
        bank = self.learnt("bank", queries)
        if self.index == "exact":
            products, _ = nearest(queries, bank, k)
        else:
            centres, sizes = self.learnt("centres", queries), self.learnt("sizes", queries)
            products = ivf.search(queries, bank, centres, sizes, int(self.learnt("probes", queries)), k)
        return products.masked_fill(~queries.isfinite().all(1, keepdim=True), torch.nan)

    def caution(self, outputs: Outputs) -> str | None:
        notes = [super().caution(outputs)]
        if self.state is not None and self.index == "ivf":
            found = f"finds {self.state['recall'].item():.1%} of the {self.settings()['k']} nearest"
            measured = f"{ivf.ASKED} bank images, each without itself; of an OOD image's perhaps fewer"
            notes.append(f"approximate neighbours: {found} ({measured}); index=exact finds all")
        return "; ".join(note for note in notes if note) or None
