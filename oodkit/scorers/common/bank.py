"""A bank of training images in bounded memory, and the exact search in it, for the scorers that look at neighbours."""

from collections.abc import Iterator

import torch
from torch import Tensor

from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.scorers.base import Scorer
from oodkit.stats import require_finite, stratified_rows, unit_rows
from oodkit.wording import gib, percent

BANK_BYTES = 4 * 2**30  # what a bank may take unless its share of the images is asked for; 0.4 of ImageNet at 2048 features
BANK_ROWS = 16384  # × 4096 queries in float32 are 256 MiB of products, of which a search holds one block at a time
COLUMNS = 64  # of a bank are put in another order at a time


class BankScorer(Scorer):
    """A scorer that holds training images.

    fraction: the share of them, drawn class by class; None takes all, or as many as BANK_BYTES hold. seed: of that draw.
    """

    fits_on = "train"
    fraction: float | None
    seed: int

    def __post_init__(self) -> None:
        self.require(self.fraction is None or 0 < self.fraction <= 1, "a fraction above 0 and at most 1, or none")

    def width(self, outputs: Outputs) -> int:
        """How many float32 numbers an image takes in the bank."""
        return outputs.num_features

    def rows(self, outputs: Outputs, least: int = 1) -> Tensor:
        """(K,) the numbers of the rows that the bank holds, at least ``least``, in the order of their images."""
        share = min(1.0, BANK_BYTES / (4 * self.width(outputs) * len(outputs))) if self.fraction is None else self.fraction
        indices, rows = outputs.indices.cpu(), torch.arange(len(outputs))
        if share < 1:
            rows = stratified_rows(outputs.labels, share, self.seed, ids=indices, least=least)
        return rows[indices[rows].argsort(stable=True)]

    def caution(self, outputs: Outputs) -> str | None:
        if self.state is None or self.fraction is not None or (share := self.settings()["fraction"]) == 1:
            return None
        whole = 4 * self.width(outputs) * self.fitted_on
        held = f"the bank holds {percent(share, 0)} of the training images ({gib(BANK_BYTES)})"
        return f"{held}; fraction=1 takes all of them, {gib(whole)}"


def pieces(outputs: Outputs, rows: Tensor) -> Iterator[tuple[slice, Outputs]]:
    """Some rows of the outputs a chunk at a time, each with its place among them; together they would be a second bank."""
    for start in range(0, len(rows), CHUNK_ROWS):
        place = slice(start, start + CHUNK_ROWS)
        for chunk in outputs.subset(rows[place]).chunks():
            yield place, chunk


def unit_bank(outputs: Outputs, rows: Tensor, *, energy: bool = False) -> Tensor:
    """(K, D) float32 features of unit length; with ``energy`` each times log Σ_c exp(z_c) of its image.

    Raises NotApplicableError where they are not finite.
    """
    bank = torch.empty(len(rows), outputs.num_features, device=outputs.device)
    for place, chunk in pieces(outputs, rows):
        unit = unit_rows(chunk.features)
        bank[place] = unit * chunk.logits.logsumexp(1, keepdim=True) if energy else unit
        require_finite(bank[place])
    return bank


def bank_share(bank: Tensor, outputs: Outputs) -> Tensor:
    """() float64, the share of the images that the bank holds, as it turned out."""
    return torch.tensor(len(bank) / len(outputs), dtype=torch.float64)


def reorder(bank: Tensor, order: Tensor) -> None:
    """Put the rows of the bank in the given order, in place and a few columns at a time: a copy would be a second bank."""
    for columns in torch.split(bank, COLUMNS, dim=1):
        columns.copy_(columns[order])


def nearest(queries: Tensor, bank: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest inner products of each query (n, D) with the rows of the bank (N, D), and which rows: (n, k) twice.

    Exact and in descending order; of k > N only N. All on one device.
    """
    products, rows = queries[:, :0], torch.empty_like(queries[:, :0], dtype=torch.int64)
    for start in range(0, len(bank), BANK_ROWS):
        part = bank[start : start + BANK_ROWS]
        own, places = (queries @ part.mT).topk(min(k, len(part)), dim=1)
        found, numbers = torch.cat([products, own], dim=1), torch.cat([rows, places + start], dim=1)
        products, order = found.topk(min(k, found.shape[1]), dim=1)
        rows = numbers.gather(1, order)
    return products, rows
