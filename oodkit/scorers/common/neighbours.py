"""What the scorers that search for nearest neighbours share: a bank, and an exact or an approximate search in it."""

from typing import Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common import ivf
from oodkit.scorers.common.bank import BankScorer, bank_share, nearest, unit_bank
from oodkit.wording import percent


class NeighbourScorer(BankScorer):
    """A scorer of the largest inner products of f̂ with a bank.

    index: ``"exact"``, or ``"ivf"``, see ``oodkit.scorers.common.ivf``. recall: the share of the neighbours that it is to find;
    after ``fit`` the share that it does, 1 of the exact search.
    """

    index: Literal["exact", "ivf"]
    recall: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(0 < self.recall <= 1, "a recall above 0 and at most 1")

    def learn_bank(self, outputs: Outputs, k: int, *, energy: bool = False) -> State:
        """The bank with its index, ``k`` clipped to it, and the ``fraction`` that it is of the images."""
        rows = self.rows(outputs, least=k)
        k = min(k, len(rows))
        if self.index == "exact":
            state = {"bank": unit_bank(outputs, rows, energy=energy), "recall": torch.tensor(1.0, dtype=torch.float64)}
        else:
            asked = ivf.asked(len(rows), self.seed)
            bank, queries = unit_bank(outputs, rows, energy=energy), unit_bank(outputs, rows[asked])
            state = ivf.build(bank, asked, queries, k, self.recall, self.seed)
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

    def untraceable(self) -> str | None:
        if self.index == "exact":
            return None
        return f"{self.name} with index=ivf looks through other lists for each image, which no fixed graph can; take index=exact"

    def caution(self, outputs: Outputs) -> str | None:
        notes = [super().caution(outputs)]
        if self.state is not None and self.index == "ivf":
            share = int(self.state["probes"]) / len(self.state["sizes"])
            recall = percent(self.state["recall"].item())
            found = f"finds {recall} of the {self.settings()['k']} nearest in {percent(share)} of the lists"
            measured = f"{ivf.ASKED} bank images, each without itself; of an OOD image's perhaps fewer"
            remedy = "hardly faster than index=exact, which finds all" if share > ivf.SLOW_SHARE else "index=exact finds all"
            notes.append(f"approximate neighbours: {found} ({measured}); {remedy}")
        return "; ".join(note for note in notes if note) or None
