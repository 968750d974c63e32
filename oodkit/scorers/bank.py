"""A bank of training features and the search in it, for the scorers that look at neighbours."""

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.stats import stratified_rows, unit_rows

BANK_ROWS = 65536  # × 4096 queries in float32 are 1 GiB of products, the most that a search on an accelerator holds at a time


def sample(outputs: Outputs, fraction: float, least: int, seed: int) -> Outputs:
    """A class-stratified share of the images, at least ``least`` of them; the same images in whatever order they come."""
    if fraction == 1:
        return outputs
    return outputs.subset(stratified_rows(outputs.labels, fraction, seed, ids=outputs.indices, least=least))


def unit_bank(outputs: Outputs, *, energy: bool = False) -> Tensor:
    """(N, D) float32 features of unit length; with ``energy`` each times log Σ_c exp(z_c) of its image."""
    bank = torch.empty(len(outputs), outputs.num_features, device=outputs.device)
    start = 0
    for chunk in outputs.chunks():
        rows = unit_rows(chunk.features)
        bank[start : start + len(chunk)] = rows * chunk.logits.logsumexp(1, keepdim=True) if energy else rows
        start += len(chunk)
    return bank


def bank_share(bank: Tensor, outputs: Outputs) -> Tensor:
    """() float64, the share of the images that the bank holds, as it turned out."""
    return torch.tensor(len(bank) / len(outputs), dtype=torch.float64)


def largest_products(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """(n, k) the k largest inner products of each query (n, D) with the rows of the bank (N, D), exact, in descending order.

    Both on one device; a query that is not finite gives NaN.
    """
    queries = queries.float()
    products = _by_faiss(queries, bank, k) if queries.device.type == "cpu" else _by_torch(queries, bank, k)
    return products.masked_fill(~queries.isfinite().all(1, keepdim=True), torch.nan)


def _by_faiss(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """``faiss.knn`` is the search of an IndexFlatIP without the index, which would be a second copy of the bank."""
    import faiss

    products, _ = faiss.knn(queries.contiguous().numpy(), bank.numpy(), k, metric=faiss.METRIC_INNER_PRODUCT)
    return torch.from_numpy(products)


def _by_torch(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """On an accelerator, where faiss may be a build without it."""
    products = queries.new_empty(len(queries), 0)
    for rows in torch.split(bank, BANK_ROWS):
        merged = torch.cat([products, queries @ rows.mT], dim=1)
        products = merged.topk(min(k, merged.shape[1]), dim=1).values
    return products
