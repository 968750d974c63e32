"""Distance to the k-th nearest training image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.bank import bank_share, largest_products, sample, unit_bank
from oodkit.scorers.base import Scorer, State
from oodkit.stats import unit_rows


@dataclass
class Knn(Scorer):
    """−‖f̂ − f̂_(k)‖², f̂ = f / ‖f‖ and f̂_(k) the k-th nearest normalised training feature; in [−4, 0].

    Sun, Ming, Zhu and Li, ICML 2022, arXiv 2204.06507. Learns a bank of training features, float32; exact search.
    k: which neighbour; 50 under ``openood``; ``"paper"`` means 50 for up to 10 classes, 200 for up to 100, 1000 for more; clipped
    to the size of the bank. fraction: the share of the training images that the bank holds, drawn class by class, raised where
    it leaves fewer than k (with 1 % of ImageNet the paper takes k = 10). seed: of that draw.

    Needs no logits, so label smoothing and mixup harm it least. Weak on near-OOD of ImageNet. ImageNet's whole bank at 2048
    features takes 10.5 GB.
    """

    name = "knn"
    title = "Deep nearest neighbours"
    paper = "arXiv:2204.06507"
    uses = "features"
    presets: ClassVar = {"paper": {"k": "paper"}}
    fits_on = "train"

    k: int | Literal["paper"] = 50
    fraction: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.require(self.k == "paper" or self.k >= 1, 'k of at least 1 or "paper"')
        self.require(0 < self.fraction <= 1, "a fraction above 0 and at most 1")

    def _fit(self, outputs: Outputs) -> State:
        k = _paper_k(outputs.num_classes) if self.k == "paper" else self.k
        bank = unit_bank(sample(outputs, self.fraction, least=k, seed=self.seed))
        return {"bank": bank, "k": torch.tensor(min(k, len(bank))), "fraction": bank_share(bank, outputs)}

    def caution(self, outputs: Outputs) -> str | None:
        return None if self.state is None else beyond_the_class(self.settings()["k"], len(self.state["bank"]), outputs.num_classes)

    def _score(self, chunk: Outputs) -> Tensor:
        queries = unit_rows(chunk.features)
        products = largest_products(queries, self.learnt("bank", queries), self.settings()["k"])
        return 2 * products[:, -1].double() - queries.double().square().sum(1) - 1


def beyond_the_class(k: int, bank: int, num_classes: int) -> str | None:
    """Why the k-th neighbour says nothing: there are no k images of a class, and it belongs to another. None where there are."""
    each = bank / num_classes
    if k < each:
        return None
    remedy = f"with so small a bank take knn:k={int(each) // 2}" if each >= 2 else "give more training images"
    return f"the neighbour k = {k} lies beyond the {each:.3g} training images that a class has on average; {remedy}"


def _paper_k(num_classes: int) -> int:
    """The paper's values for CIFAR-10, CIFAR-100 and ImageNet."""
    if num_classes <= 10:
        return 50
    return 200 if num_classes <= 100 else 1000
