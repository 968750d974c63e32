"""Time and memory of refitting the last layer on a fifth of ImageNet: 256,000 images, 2,048 features, 1,000 classes.

Run by ``nox -s bench -- augdelete --scale 1``. The features are synthetic, in half precision, and lie on disk as ``extract`` leaves
them; a tenth of the labels are drawn anew, so that there is something to overfit, and the head starts with 0.3 of its weights. Each
method has a process of its own. ``plain sgd`` is the paper's way as it would be written by hand, with the features in memory; the
held-out loss that it ends with is what the others are to reach. ``lbfgs`` runs as it is, with the choice of its strength;
scikit-learn's solver gets weaker and weaker penalties until it is there, and only its last run is counted. Held-out images are new
to all of them. Prints Markdown. Other scales shrink images by the factor, features and classes by its root.
"""

import argparse
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from scorers import GB, Peak, is_whole, memory
from synthetic import Network, write_outputs
from timing import Cost, cost
from torch import nn
from torch.nn import functional

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.refitting import HELD_OUT as HELD_OUT_SHARE
from oodkit.refitting import SELECTION_IMAGES, refit
from oodkit.shards import open_outputs
from oodkit.solvers.cross_entropy import mean_loss
from oodkit.solvers.sgd import Settings

IMAGES, HELD_OUT, WIDTH, CLASSES = 256_000, 20_000, 2048, 1000
WRONG = 0.1  # of the labels
SOFT = 0.3  # of the weights of a head that fits
DECAYS = (1e-1, 1e-2, 1e-3, 1e-4)  # penalties that scikit-learn's solver tries, each for as many iterations at most:
ITERATIONS = 100
T = TypeVar("T")
Found = tuple[Cost, Head, str]
COLUMNS = ("method", "s wall", "s processor", "times plain sgd", "held-out loss", "peak memory, GB", "with mapped files, GB", "how")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.02, help="factor on the number of images")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--folder", type=Path, help="where the outputs go, and stay for another run; default: a temporary folder")
    parser.add_argument("--method", action="append", choices=METHODS, help="only this one and plain sgd; repeatable")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--target", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.folder, arguments.target)))
    elif arguments.folder:
        report(arguments.folder / f"augdelete-{arguments.scale:g}", arguments)
    else:
        with TemporaryDirectory() as folder:
            report(Path(folder), arguments)


def report(folder: Path, arguments: argparse.Namespace) -> None:
    write_all(folder, arguments.scale)
    train, held_out = opened(folder)
    print(f"{len(train):,} images, held out {len(held_out):,}; D = {train.num_features:,}, C = {train.num_classes:,}; "
          f"held-out loss of the head at the start {mean_loss(held_out, train.head):.4f}; {arguments.threads} threads, "
          f"torch {torch.__version__}\n")  # fmt: skip
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 2)}---|")
    first = row("plain sgd", None, None, arguments, folder)
    for method in arguments.method or METHODS:
        if method != "plain sgd":
            row(method, first, first["loss"], arguments, folder)


def row(method: str, first: dict | None, target: float | None, arguments: argparse.Namespace, folder: Path) -> dict:
    options = [f"--threads={arguments.threads}", f"--folder={folder}", *([] if target is None else [f"--target={target}"])]
    threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, __file__, f"--measure={method}", *options]
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"| {method} | {(done.stderr.strip().splitlines() or ['failed'])[-1]} | | | | | | |", flush=True)
        return {"loss": float("nan"), "cpu": float("nan")}
    found = json.loads(done.stdout.splitlines()[-1])
    ratio = 1.0 if first is None else found["cpu"] / first["cpu"]
    memories = f"{found['anonymous'] / GB:.2f} | {found['resident'] / GB:.2f}"
    print(f"| {method} | {found['wall']:.1f} | {found['cpu']:.1f} | {ratio:.2f} | {found['loss']:.4f} | {memories} | "
          f"{found['how']} |", flush=True)  # fmt: skip
    return found


def write_all(folder: Path, scale: float) -> None:
    width, classes = (max(round(size * scale**0.5), 10) for size in (WIDTH, CLASSES))
    network = Network(width, classes)
    for name, count in {"train": round(IMAGES * scale), "held out": max(round(HELD_OUT * scale), 2000)}.items():
        if not ((folder / name).exists() and is_whole(folder / name)):
            write_outputs(folder / name, torch.arange(count) % classes, network)


def opened(folder: Path) -> tuple[Outputs, Outputs]:
    train, held_out = (_with_wrong_labels(open_outputs(folder / name), seed) for seed, name in enumerate(("train", "held out")))
    assert train.head is not None
    head = Head(SOFT * train.head.weight, SOFT * train.head.bias)
    return train.with_head(head), held_out.with_head(head)


def _with_wrong_labels(outputs: Outputs, seed: int) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(outputs), generator=generator) < WRONG
    return outputs.with_labels(
        torch.where(wrong, torch.randint(outputs.num_classes, (len(outputs),), generator=generator), outputs.labels)
    )


def measure(method: str, folder: Path, target: float | None) -> dict:
    train, held_out = opened(folder)
    with Peak() as peak:
        (wall, cpu), head, how = METHODS[method](train, held_out, target)
    loss = mean_loss(held_out, head)
    return {"wall": wall, "cpu": cpu, "loss": loss, "how": how, "anonymous": peak.bytes, "resident": memory("VmHWM")}


def timed(work: Callable[[], T]) -> tuple[Cost, T]:
    found: list[T] = []
    taken = cost(lambda: found.append(work()))
    return taken, found[0]


def plain_sgd(train: Outputs, _held_out: Outputs, _target: float | None) -> Found:
    taken, head = timed(lambda: _by_hand(train))
    return taken, head, f"{Settings().epochs} epochs"


def _by_hand(train: Outputs) -> Head:
    """As it would be written by hand, with the settings of the public reproduction."""
    settings, features, labels = Settings(), train.features.clone(), train.labels
    layer = nn.Linear(train.num_features, train.num_classes)
    with torch.no_grad():
        layer.weight.copy_(train.head.weight)
        layer.bias.copy_(train.head.bias)
    optimizer = torch.optim.SGD(layer.parameters(), settings.rate, settings.momentum, weight_decay=settings.weight_decay)
    steps = settings.epochs * -(-len(labels) // settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(labels), generator=generator).split(settings.batch):
            optimizer.zero_grad()
            functional.cross_entropy(layer(features[rows].float()), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return Head(layer.weight, layer.bias)


def by_lbfgs(train: Outputs, _held_out: Outputs, _target: float | None) -> Found:
    taken, made = timed(lambda: refit(train))
    passes = "+".join(str(one.steps) for one in made.tried)
    share = (SELECTION_IMAGES / made.n_fit if made.notes else 1) * (1 - HELD_OUT_SHARE)
    return taken, made.head, f"{passes} passes over {share:.0%}, {made.steps} over all; l2 = {made.l2:.2g}"


def by_sgd(train: Outputs, _held_out: Outputs, _target: float | None) -> Found:
    taken, made = timed(lambda: refit(train, solver="sgd"))
    return taken, made.head, f"{Settings().epochs} epochs, read memory-mapped"


def by_scikit_learn(train: Outputs, held_out: Outputs, target: float | None) -> Found:
    from sklearn.linear_model import LogisticRegression

    features, labels = train.features.float().numpy(), train.labels.numpy()
    best: tuple[float, Found] | None = None
    for decay in DECAYS:
        model = LogisticRegression(C=1 / (decay * len(labels)), max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge
            taken, _ = timed(lambda model=model: model.fit(features, labels))
        head = Head(torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float())
        loss = mean_loss(held_out, head)
        if best is None or loss < best[0]:
            best = loss, (taken, head, f"{model.n_iter_[0]} iterations, penalty {decay:g}")
        if target is not None and loss <= target:
            break
    assert best is not None
    return best[1]


METHODS = {"plain sgd": plain_sgd, "lbfgs": by_lbfgs, "sgd": by_sgd, "scikit-learn": by_scikit_learn}


if __name__ == "__main__":
    main()
