"""Time and memory of refitting the last layer on a fifth of ImageNet: 256,000 images, 2,048 features, 1,000 classes.

Run by ``nox -s bench -- augdelete --scale 1``. The features are synthetic (``repairable.py``), in half precision, and lie on disk
as ``extract`` leaves them. Each method has a process of its own and starts from the present head. ``plain sgd`` is the paper's way
as it would be written by hand, with the features in memory; the loss that it ends with, on images new to all methods, is what the
others are to reach: *there* is when they did, *end* when they were done. ``lbfgs`` runs as it is, with the choice of its strength;
``lbfgs, strength given`` is told that one. scikit-learn's solver, features in float32 in memory, gets the penalty of the same size
in the features' own coordinates, then weaker ones until it gets there, where it is stopped; only its last run counts. To look at
the loss is off the clock. Prints Markdown. Other scales shrink images by the factor, features and classes by its root.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import torch
from repairable import Network
from scorers import GB, Peak, is_whole, memory
from synthetic import write_outputs
from timing import Cost, cost
from torch import Tensor, nn
from torch.nn import functional

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.refitting import Refit, refit
from oodkit.shards import open_outputs
from oodkit.solvers import lbfgs
from oodkit.solvers.cross_entropy import mean_loss
from oodkit.solvers.sgd import Settings

IMAGES, HELD_OUT, WIDTH, CLASSES = 256_000, 20_000, 2048, 1000
ITERATIONS = 200  # of scikit-learn's solver at most
COLUMNS = ("method", "there, s wall", "there, s processor", "times plain sgd", "end, s wall", "end, s processor", "times plain sgd",
           "held-out loss", "peak memory, GB", "with mapped files, GB", "how")  # fmt: skip


class Found(dict):
    """``there`` and ``end``, a Cost each or None, ``head`` and ``how``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.02, help="factor on the number of images")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--folder", type=Path, help="where the outputs go, and stay for another run; default: a temporary folder")
    parser.add_argument("--method", action="append", choices=METHODS, help="only this one; repeatable")
    parser.add_argument("--target", type=float, help="the held-out loss to reach, where plain sgd is not among the methods")
    parser.add_argument("--l2", type=float, help="the strength, where lbfgs is not among the methods")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of scikit-learn's solver at most")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.measure:
        print(json.dumps(measure(arguments)))
    elif arguments.folder:
        report(arguments.folder / f"augdelete-{arguments.scale:g}", arguments)
    else:
        with TemporaryDirectory() as folder:
            report(Path(folder), arguments)


def report(folder: Path, arguments: argparse.Namespace) -> None:
    write_all(folder, arguments.scale)
    train, held_out = (open_outputs(folder / name) for name in ("train", "held out"))
    accuracy = sum(int((chunk.logits.argmax(1) == chunk.labels).sum()) for chunk in held_out.chunks()) / len(held_out)
    print(f"{len(train):,} images, held out {len(held_out):,}; D = {train.num_features:,}, C = {train.num_classes:,}; at the start "
          f"held-out loss {mean_loss(held_out, train.head):.4f}, accuracy {accuracy:.1%}; {arguments.threads} threads, "
          f"torch {torch.__version__}\n")  # fmt: skip
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 2)}---|", flush=True)
    plain: dict | None = None
    for method in arguments.method or METHODS:
        found = child(method, arguments, folder)
        if method == "plain sgd" and "reason" not in found:
            plain, arguments.target = found, found["loss"]
        if method == "lbfgs" and "l2" in found:
            arguments.l2 = found["l2"]
        print_row(method, found, plain)


def child(method: str, arguments: argparse.Namespace, folder: Path) -> dict:
    options = [f"--{name}={getattr(arguments, name)}" for name in ("threads", "target", "l2", "iterations")
               if getattr(arguments, name) is not None]  # fmt: skip
    threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, __file__, f"--measure={method}", f"--folder={folder}", *options]
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"reason": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def print_row(method: str, found: dict, plain: dict | None) -> None:
    if "reason" in found:
        print(f"| {method} | {found['reason']} {'| ' * (len(COLUMNS) - 2)}|", flush=True)
        return
    cells = []
    for when in ("there", "end"):
        ratio = f"{found[when][1] / plain['end'][1]:.2f}" if found[when] and plain else "–"
        cells += [f"{found[when][0]:.1f}", f"{found[when][1]:.1f}", ratio] if found[when] else ["–"] * 3
    cells += [f"{found['loss']:.4f}", f"{found['anonymous'] / GB:.2f}", f"{found['resident'] / GB:.2f}", found["how"]]
    print(f"| {method} | {' | '.join(cells)} |", flush=True)


def write_all(folder: Path, scale: float) -> None:
    width, classes = (max(round(size * scale**0.5), 10) for size in (WIDTH, CLASSES))
    counts = {"train": round(IMAGES * scale), "held out": max(round(HELD_OUT * scale), 4000)}
    if all((folder / name).exists() and is_whole(folder / name) for name in counts):
        return
    network = Network(width, classes, scale)
    for name, count in counts.items():
        write_outputs(folder / name, torch.arange(count) % classes, network)


def measure(arguments: argparse.Namespace) -> dict:
    train, held_out = (open_outputs(arguments.folder / name) for name in ("train", "held out"))
    with Peak() as peak:
        found = METHODS[arguments.measure](train, held_out, arguments)
    loss = mean_loss(held_out, found.pop("head"))
    return {"there": None, **found, "loss": loss, "anonymous": peak.bytes, "resident": memory("VmHWM")}


def plain_sgd(train: Outputs, _held_out: Outputs, _arguments: argparse.Namespace) -> Found:
    heads: list[Head] = []
    taken = cost(lambda: heads.append(_by_hand(train)))
    return Found(there=taken, end=taken, head=heads[0], how=f"{Settings().epochs} epochs")


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


def by_lbfgs(train: Outputs, _held_out: Outputs, _arguments: argparse.Namespace) -> Found:
    made: list[Refit] = []
    taken = cost(lambda: made.append(refit(train)))
    passes = " + ".join(str(one.steps) for one in made[0].tried)
    how = f"strengths × C: {', '.join(f'{one.l2 * train.num_classes:g}' for one in made[0].tried)} in {passes} passes over a part"
    l2 = f"{made[0].l2 * train.num_classes:g} / C"
    return Found(end=taken, head=made[0].head, l2=made[0].l2, how=f"{how}; {made[0].steps} passes over all with {l2}")


def by_lbfgs_alone(train: Outputs, held_out: Outputs, arguments: argparse.Namespace) -> Found:
    watch = Watch(held_out, arguments.target)

    class Watched(lbfgs.Problem):
        def loss_and_gradient(self, correction: Tensor) -> tuple[Tensor, Tensor]:
            found = super().loss_and_gradient(correction)
            watch.look(self.coordinates.corrected(self.head, correction))
            return found

    with patch.object(lbfgs, "Problem", Watched):
        made = refit(train, l2=arguments.l2 or 0.01 / train.num_classes)
    how = f"{made.steps} passes over all, {made.gap:.1g} nats from its minimum at most; there after {watch.looks_there}"
    return Found(there=watch.there, end=watch.now(), head=made.head, how=how)


def by_sgd(train: Outputs, _held_out: Outputs, _arguments: argparse.Namespace) -> Found:
    made: list[Refit] = []
    taken = cost(lambda: made.append(refit(train, solver="sgd")))
    return Found(end=taken, head=made[0].head, how=f"{Settings().epochs} epochs, read memory-mapped")


def by_scikit_learn(train: Outputs, held_out: Outputs, arguments: argparse.Namespace) -> Found:
    features, labels = train.features.float().numpy(), train.labels.numpy()
    matched = (arguments.l2 or 0.01 / train.num_classes) * float(features[:20_000].var(0).mean())
    best = []  # the least loss that each penalty came to
    for penalty in (matched, matched / 10, matched / 100):
        watch = _watched_scikit_learn(features, labels, penalty, held_out, arguments)
        end = watch.now()
        best.append(f"{min(watch.losses):.4f} with penalty {penalty:.1g}, iteration {watch.losses.index(min(watch.losses)) + 1}")
        if watch.there or arguments.target is None:
            break
    how = f"{watch.looks} iterations; least loss {'; '.join(best)}"
    return Found(there=watch.there, end=end, head=watch.head, how=how)


def _watched_scikit_learn(
    features: np.ndarray, labels: np.ndarray, penalty: float, held_out: Outputs, arguments: argparse.Namespace
) -> "Watch":
    from scipy import optimize
    from sklearn.linear_model import LogisticRegression

    minimize, watch = optimize.minimize, Watch(held_out, arguments.target)

    def after_iteration(found: np.ndarray) -> None:
        both = torch.from_numpy(found.reshape(held_out.num_classes, -1, order="F")).float()
        watch.look(Head(both[:, :-1], both[:, -1]))
        if watch.there or watch.looks >= arguments.iterations:
            raise StopIteration

    def watched(*args: object, **options: object) -> object:
        return minimize(*args, **{**options, "callback": after_iteration})

    with patch.object(optimize, "minimize", watched), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge
        model = LogisticRegression(C=1 / (penalty * len(labels)), max_iter=arguments.iterations, tol=1e-8, warm_start=True)
        model.coef_, model.intercept_ = held_out.head.weight.numpy(), held_out.head.bias.numpy()
        model.fit(features, labels)
    return watch


class Watch:
    """A clock that stands still while the held-out loss of a head is looked at, and knows when it first was low enough."""

    def __init__(self, held_out: Outputs, target: float | None) -> None:
        self.held_out, self.target = held_out, target
        self.losses: list[float] = []
        self.there: Cost | None = None
        self.looks_there: int | None = None
        self.started = _clocks()

    @property
    def looks(self) -> int:
        return len(self.losses)

    def now(self) -> Cost:
        return Cost(*(now - start for now, start in zip(_clocks(), self.started, strict=True)))

    def look(self, head: Head) -> None:
        when, self.head = self.now(), head
        self.losses.append(mean_loss(self.held_out, head))
        if self.there is None and self.target is not None and self.losses[-1] <= self.target:
            self.there, self.looks_there = when, self.looks
        self.started = tuple(now - spent for now, spent in zip(_clocks(), when, strict=True))


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


METHODS = {
    "plain sgd": plain_sgd,
    "lbfgs": by_lbfgs,
    "lbfgs, strength given": by_lbfgs_alone,
    "sgd": by_sgd,
    "scikit-learn": by_scikit_learn,
}


if __name__ == "__main__":
    main()
