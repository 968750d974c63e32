"""oodkit's scorers beside those of pytorch-ood 0.4.0 and oodeel 0.4.0: the same tensors, the same settings, time and AUROC.

Run by ``nox -s bench -- peers``. Each library gets the tensors in the way that is fastest for it: pytorch-ood the features and
logits themselves, as its benchmark's cache keeps them; oodeel batches and a network of one linear layer, since it takes no tensors.
A time is that of fit and score, the shortest of several. The AUROC is oodkit's own for all of them, so that it tells scores apart
and not metrics; the last table compares the metrics. Prints Markdown.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from oodeel_adapter import Oodeel
from pytorch_ood_adapter import PytorchOod
from synthetic import Columns, Network, chunks_of
from threadpoolctl import threadpool_limits
from timing import Cost, cost

from oodkit.errors import InputError, OodkitError
from oodkit.evaluation import evaluate
from oodkit.metrics import auroc
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, parse_scorer

PEERS = (PytorchOod, Oodeel)
HEADER = ("scorer", "peer", "oodkit, s", "peer, s", "peer ÷ oodkit", "oodkit, s processor", "peer, s processor", "peer ÷ oodkit",
          "AUROC oodkit", "AUROC peer", "rank correlation", "note")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {
        "fit": 20_000,
        "val": 2_000,
        "id": 5_000,
        "ood": 5_000,
        "width": 512,
        "classes": 100,
        "repeat": 3,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--scorer", action="append", help="only this one, and no run of all; repeatable")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):  # scikit-learn's, numpy's and faiss's threads
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    network = Network(arguments.width, arguments.classes)
    sets = {name: draw(network, getattr(arguments, name), known=name != "ood") for name in ("fit", "val", "id", "ood")}
    counts = ", ".join(f"{name} {len(columns['labels']):,}" for name, columns in sets.items())
    print(f"{counts} images; D = {arguments.width}, C = {arguments.classes}; {arguments.threads} threads; "
          f"torch {torch.__version__}; the shortest of {arguments.repeat} runs")  # fmt: skip
    for peer_class in PEERS:
        wanted = [spec for spec in peer_class.pairs if not arguments.scorer or name_of(spec) in arguments.scorer]
        specs = [spec for spec in wanted if name_of(spec) in SCORERS]
        peer = None if peer_class.absent() else peer_class(network.head, sets)
        if peer is None:
            print(f"\n{peer_class.title} is not there ({peer_class.absent()}), its columns stay empty: {peer_class.install}")
        else:
            print(f"\n{peer_class.title} {installed(peer_class.package)}: {peer_class.about}")
        print(f"\n| {' | '.join(HEADER)} |\n|---|---|{'---:|' * (len(HEADER) - 3)}---|")
        for spec in specs:
            print(row(spec, peer_class.pairs[spec], peer, sets, network, arguments.repeat), flush=True)
        if len(specs) < len(wanted):
            print(f"\nNot in this oodkit: {', '.join(name_of(spec) for spec in wanted if spec not in specs)}.")
        if peer and not arguments.scorer:
            together(specs, peer, sets, network)


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def name_of(spec: str) -> str:
    return spec.partition(":")[0]


def draw(network: Network, count: int, *, known: bool) -> Columns:
    """Features as stored in half precision and read back, so that float32 is what every library gets."""
    labels = torch.arange(count) % network.head.num_classes if known else torch.full((count,), -1)
    pieces = list(chunks_of(labels, network))
    columns = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    return {**columns, "features": columns["features"].float()}


def outputs_of(columns: Columns, network: Network) -> Outputs:
    """New ones each time: what oodkit keeps about outputs that it has seen must not make the next scorer look quick."""
    return Outputs(columns["features"], columns["labels"], head=network.head, logits=columns["logits"])


def ours(spec: str, sets: Mapping[str, Columns], network: Network) -> dict[str, np.ndarray]:
    scorer = parse_scorer(spec)
    if scorer.fits_on:
        scorer.fit(outputs_of(sets[{"train": "fit", "val": "val"}[scorer.fits_on]], network))
    return {role: scorer.score(outputs_of(sets[role], network)).numpy() for role in ("id", "ood")}


def row(spec: str, note: str, peer, sets: Mapping[str, Columns], network: Network, repeat: int) -> str:
    try:
        own_cost, own = shortest(partial(ours, spec, sets, network), repeat)
    except OodkitError as error:
        return f"| {spec} | | {error}{' |' * (len(HEADER) - 2)}"
    own_auroc = f"{100 * auroc(own['id'], own['ood']):.2f}"
    if peer is None:
        return f"| {spec} | | {own_cost.wall:.3f} | | | {own_cost.cpu:.3f} | | | {own_auroc} | | | |"
    their_cost, theirs = shortest(partial(peer.scores, spec, parse_scorer(spec).fits_on), repeat)
    try:
        agreement = f"{100 * auroc(theirs['id'], theirs['ood']):.2f} | {rank_correlation(own, theirs)}"
    except InputError:
        broken = np.concatenate([~np.isfinite(scores) for scores in theirs.values()]).mean()
        agreement = f"none: {broken:.1%} of its scores are NaN or infinite | "
    wall, cpu = (f"{one:.3f} | {other:.3f} | {other / one:.1f}" for one, other in zip(own_cost, their_cost, strict=True))
    return f"| {spec} | {peer.title} | {wall} | {cpu} | {own_auroc} | {agreement} | {note} |"


def shortest(work: Callable[[], dict[str, np.ndarray]], repeat: int) -> tuple[Cost, dict[str, np.ndarray]]:
    results: list[dict[str, np.ndarray]] = []
    costs = [cost(lambda: results.append(work())) for _ in range(repeat)]
    return Cost(*map(min, zip(*costs, strict=True))), results[-1]


def rank_correlation(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str:
    """Spearman's over all scored images; equal scores in any order."""
    ranks = [np.concatenate([scores[role] for role in ("id", "ood")]).argsort(kind="stable").argsort() for scores in (one, other)]
    value = np.corrcoef(*ranks)[0, 1]
    return f"{value:.6f}" if value < 0.9999995 else "1"


def together(specs: list[str], peer, sets: Mapping[str, Columns], network: Network) -> None:
    """All of the table's scorers in one run, from fit to figures, each library in its own way; then the metrics alone."""
    fit, val, inside, outside = (outputs_of(sets[name], network) for name in ("fit", "val", "id", "ood"))
    own = cost(lambda: evaluate(specs, inside, {"ood": outside}, fit=fit, val=val))
    theirs = cost(lambda: peer.one_run(specs))
    print(f"\nAll {len(specs)} in one run with metrics: oodkit {own.wall:.1f} s wall, {own.cpu:.1f} s processor; {peer.title} "
          f"{theirs.wall:.1f} s wall, {theirs.cpu:.1f} s processor, {theirs.wall / own.wall:.1f} and {theirs.cpu / own.cpu:.1f} "
          f"times that ({peer.run}).\n")  # fmt: skip
    scores = ours("mls", sets, network)
    for offset in (0, 1e6):
        id_scores, ood_scores = scores["id"] + offset, scores["ood"] + offset
        both = [shortest_auroc(metric, id_scores, ood_scores) for metric in (auroc, peer.auroc)]
        print(f"AUROC of oodkit's mls scores plus {offset:g}: oodkit {both[0]}; {peer.title} {both[1]}.")


def shortest_auroc(metric: Callable, id_scores: np.ndarray, ood_scores: np.ndarray) -> str:
    found: list[float] = []
    costs = [cost(lambda: found.append(metric(id_scores, ood_scores))) for _ in range(3)]
    return f"{100 * found[0]:.4f} in {1000 * min(costs).wall:.1f} ms"


if __name__ == "__main__":
    main()
