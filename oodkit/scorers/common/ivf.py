"""An approximate search for neighbours: the bank lies in lists around k-means centres, and a query looks through the nearest lists.

An inverted file as faiss's IndexIVFFlat, which would be a second copy of the bank and reads each list once a query. Here the bank
itself lies in the order of the lists, and a list is multiplied with all queries that look through it, on any device.
"""

import math

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.outputs import CHUNK_ROWS
from oodkit.scorers.base import State
from oodkit.scorers.common.bank import nearest, reorder
from oodkit.stats import unit_rows

LEAST_ROWS = 100_000  # an exact search in fewer is as fast; at 2,048 features there is little gained in so many yet
LEAST_SHARE = 1 / 32  # of the lists are looked through, however few it takes for a bank image: an OOD image's are not as near
SLOW_SHARE = 1 / 8  # of the lists and more are hardly faster than an exact search
ASKED = 500  # images of the bank that the recall is measured on
POINTS_PER_LIST, ROUNDS = 32, 8  # of the k-means; twice the points and more rounds found no more neighbours
PRODUCTS = 2**26  # the most that a search holds at a time, 256 MiB


def asked(count: int, seed: int) -> Tensor:
    """The rows of a bank of ``count`` that its recall is to be measured on. Raises NotApplicableError where they are too few."""
    if count < LEAST_ROWS:
        raise NotApplicableError(f"index=ivf is for a bank of at least {LEAST_ROWS} images, got {count}; take index=exact")
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:ASKED]


def build(bank: Tensor, rows: Tensor, queries: Tensor, k: int, recall: float, seed: int) -> State:
    """What ``search`` takes beside the queries, and the recall; the bank (N, D) is put in the order of its lists, in place.

    rows, queries: (m,) and (m, D), images of the bank and what would be asked for them. recall: the share of their k nearest, each
    without itself and by an exact search, that ``search`` is to come by at least, and in what is returned does.
    """
    centres = _centres(bank, seed)
    list_of = torch.empty(len(bank), dtype=torch.int64, device=bank.device)
    for own, part in zip(torch.split(list_of, CHUNK_ROWS), torch.split(bank, CHUNK_ROWS), strict=True):
        own.copy_((part @ centres.mT).argmax(1))
    sizes = torch.bincount(list_of, minlength=len(centres))
    neighbours = _without(nearest(queries, bank, k + 1)[1], rows.to(bank.device))[:, :k]
    ranks = (queries @ centres.mT).argsort(1, descending=True).argsort(1)  # of the lists, for each query
    needed = ranks.gather(1, list_of[neighbours]) + 1  # how many lists to look through for a neighbour
    probes = _probes(needed.flatten(), len(centres), recall)
    in_whole_bank = torch.where(ranks < probes, sizes, 0).sum(1) < k
    found = ((needed <= probes) | in_whole_bank[:, None]).double().mean()
    reorder(bank, list_of.argsort(stable=True))
    return {"bank": bank, "centres": centres, "sizes": sizes, "probes": torch.tensor(probes), "recall": found.cpu()}


def _probes(needed: Tensor, lists: int, recall: float) -> int:
    reached = torch.bincount(needed, minlength=lists + 1).cumsum(0).double() / len(needed)
    return max(int((reached < recall).sum()), math.ceil(LEAST_SHARE * lists))


def search(queries: Tensor, bank: Tensor, centres: Tensor, sizes: Tensor, probes: int, k: int) -> Tensor:
    """(n, k) the k largest inner products of each query (n, D) with the rows in the ``probes`` lists nearest to it, descending.

    A query with fewer than k rows in its lists is looked for in the whole bank.
    """
    widest = int(sizes.sort(descending=True).values[:probes].sum())
    parts = torch.split(queries, max(PRODUCTS // widest, 1))
    return torch.cat([_search(part, bank, centres, sizes, probes, k) for part in parts])


def _search(queries: Tensor, bank: Tensor, centres: Tensor, sizes: Tensor, probes: int, k: int) -> Tensor:
    lists = (queries @ centres.mT).topk(probes, dim=1).indices
    widths = sizes[lists]
    starts = (widths.cumsum(1) - widths).flatten()
    found = queries.new_full((len(queries), max(int(widths.sum(1).max()), k)), -torch.inf)
    counts = torch.bincount(lists.flatten(), minlength=len(sizes)).tolist()
    visits = torch.split(lists.flatten().argsort(stable=True), counts)
    for visit, rows in zip(visits, torch.split(bank, sizes.tolist()), strict=True):
        own = visit // probes
        places = starts[visit][:, None] + torch.arange(len(rows), device=rows.device)
        found[own[:, None], places] = queries[own] @ rows.mT
    products = found.topk(k, dim=1).values
    short = widths.sum(1) < k
    products[short] = nearest(queries[short], bank, k)[0]
    return products


def _centres(bank: Tensor, seed: int) -> Tensor:
    """(L, D) unit vectors, L the power of two below 4 √N, from the directions of a sample."""
    import faiss

    count = 2 ** int(math.log2(4 * math.sqrt(len(bank))))
    sample = torch.randperm(len(bank), generator=torch.Generator().manual_seed(seed))[: POINTS_PER_LIST * count]
    points = unit_rows(bank[sample.to(bank.device)]).cpu().numpy()
    settings = {"niter": ROUNDS, "seed": seed % 2**31, "spherical": True, "min_points_per_centroid": 1}
    kmeans = faiss.Kmeans(bank.shape[1], count, **settings)
    kmeans.train(points)
    return torch.from_numpy(kmeans.centroids).to(bank.device)


def _without(neighbours: Tensor, own: Tensor) -> Tensor:
    """The neighbours (m, k) in their order, with each image itself, (m,), moved behind the others."""
    return neighbours.gather(1, (neighbours == own[:, None]).int().argsort(dim=1, stable=True))
