"""Time and memory against the number of images: 10,000, 100,000 and 1,000,000 of 2,048 features and 1,000 classes.

Run by ``nox -s bench -- scale``; the largest takes about 9 GB of disk. The outputs are synthetic and lie there in half precision as
``extract`` leaves them. Each measurement has a process of its own: the default scorers but for the neighbour ones, which learn from
all N images and score them, and a tenth as many OOD images; AugDelete on a fifth of them; thresholds, p-values and decisions of a
fitted maximal logit, as ``score`` makes them beside the network; and the neighbour bank, exact and approximate, which 10,000
images are looked up in. Then the slope of log time against log images. Prints Markdown.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from repairable import Network as Repairable
from scorers import GB, NEIGHBOURS, Peak, is_whole, memory
from synthetic import write_outputs
from timing import Cost, cost

from oodkit.calibration import Calibration, judged
from oodkit.errors import OodkitError
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.scorers import SCORERS, make_scorer, parse_scorer
from oodkit.scoring import score_all
from oodkit.shards import open_outputs
from oodkit.stats import stratified_rows

WIDTH, CLASSES = 2048, 1000
IMAGES = (10_000, 100_000, 1_000_000)
SHARE = 0.2
QUERIES = 10_000
DRAWN = 0.02  # the scale of ``repairable``: the network is the same whatever the number of images
COLUMNS = ("what", "images", "s wall", "s processor", "images/s", "peak memory, GB", "how")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--what", action="append", choices=MEASURED, help="only this one; repeatable")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--folder", type=Path, help="where the outputs go, and stay for another run; default: a temporary folder")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.folder)))
    elif arguments.folder:
        report(arguments.folder, arguments)
    else:
        with TemporaryDirectory() as folder:
            report(Path(folder), arguments)


def report(folder: Path, arguments: argparse.Namespace) -> None:
    print(f"D = {arguments.width:,}, C = {arguments.classes:,}, features in half precision; {arguments.threads} threads, "
          f"torch {torch.__version__}\n")  # fmt: skip
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 2)}---|", flush=True)
    taken: dict[str, dict[int, dict]] = {}
    for images in sorted(arguments.images):
        own = folder / str(images)
        write_all(own, images, arguments)
        for what in arguments.what or MEASURED:
            found = child(what, own, arguments)
            taken.setdefault(what, {})[images] = found
            print_row(what, images, found)
        if not arguments.folder:
            shutil.rmtree(own)
    print_slopes(taken)


def write_all(folder: Path, images: int, arguments: argparse.Namespace) -> None:
    network = Repairable(arguments.width, arguments.classes, DRAWN)
    sizes = {"id": images, "val": max(images // 20, 2 * arguments.classes), "ood": max(images // 10, 1000)}
    for name, count in sizes.items():
        if not ((folder / name).exists() and is_whole(folder / name)):
            shutil.rmtree(folder / name, ignore_errors=True)
            labels = torch.full((count,), -1) if name == "ood" else torch.arange(count) % arguments.classes
            write_outputs(folder / name, labels, network)


def child(what: str, folder: Path, arguments: argparse.Namespace) -> dict:
    """What a process of its own measures; with a ``reason`` where it could not."""
    command = [sys.executable, __file__, f"--measure={what}", f"--folder={folder}", f"--threads={arguments.threads}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"reason": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def print_row(what: str, images: int, found: dict) -> None:
    if "reason" in found:
        print(f"| {what} | {images:,} | {found['reason']} {'| ' * (len(COLUMNS) - 3)}|", flush=True)
        return
    rate, memory_peak = found["of"] / found["wall"], found["anonymous"] / GB
    times = f"{found['wall']:.1f} | {found['cpu']:.1f} | {rate:,.0f} | {memory_peak:.2f}"
    print(f"| {what} | {images:,} | {times} | {found['how']} |", flush=True)


def print_slopes(taken: dict[str, dict[int, dict]]) -> None:
    print("\nSlope of log time against log images, wall and processor:\n")
    for what, by_size in taken.items():
        sizes = sorted(size for size, found in by_size.items() if "reason" not in found)
        for less, more in pairwise(sizes):
            steps = math.log(more / less)
            slopes = [math.log(by_size[more][kind] / by_size[less][kind]) / steps for kind in ("wall", "cpu")]
            print(f"- {what}, {less:,} to {more:,}: {slopes[0]:.2f}, {slopes[1]:.2f}")


def measure(what: str, folder: Path) -> dict:
    outputs = {name: open_outputs(folder / name) for name in ("id", "val", "ood")}
    try:
        with Peak() as peak:
            (wall, cpu), of, how = MEASURED[what](outputs)
    except OodkitError as error:
        return {"reason": str(error)}
    return {"wall": wall, "cpu": cpu, "of": of, "how": how, "anonymous": peak.bytes, "resident": memory("VmHWM")}


Found = tuple[Cost, int, str]


def scorers(outputs: dict[str, Outputs]) -> Found:
    names = [name for name in SCORERS if name not in NEIGHBOURS and make_scorer(name).probe() is None]
    jobs = []
    sets = outputs["id"], {"ood": outputs["ood"]}
    taken = cost(lambda: jobs.extend(score_all(names, *sets, fit=outputs["id"], val=outputs["val"])))
    failed = ", ".join(job.name for job in jobs if job.reason) or "none"
    return (
        taken,
        len(outputs["id"]),
        f"{len(names)} scorers; without scores: {failed}",
    )


def augdelete(outputs: dict[str, Outputs]) -> Found:
    rows = stratified_rows(outputs["id"].labels, SHARE, seed=0)
    share, made = outputs["id"].of_images(rows), []
    taken = cost(lambda: made.append(refit(share)))
    how = f"of {SHARE:.0%}; {made[0].steps} passes over all after {sum(one.steps for one in made[0].tried)} over a part"
    return taken, len(rows), how


def decisions(outputs: dict[str, Outputs]) -> Found:
    scorer = make_scorer("mls")
    calibration = Calibration(scorer.score(outputs["val"]).double().numpy(), 0.05)
    ranked = torch.from_numpy(calibration.scores)
    taken = cost(lambda: judged(scorer.score(outputs["id"]).double(), ranked, calibration.threshold))
    return taken, len(outputs["id"]), "maximal logit, p-values and decisions"


def bank(spec: str) -> Callable[[dict[str, Outputs]], Found]:
    def looked_up(outputs: dict[str, Outputs]) -> Found:
        scorer = parse_scorer(spec)
        queries = outputs["val"].subset(torch.arange(min(QUERIES, len(outputs["val"]))))
        fit = cost(lambda: scorer.fit(outputs["id"]))
        score = cost(lambda: scorer.score(queries))
        told = scorer.caution(queries)
        how = f"fit {fit.wall:.1f} s, {len(queries):,} images looked up in {score.wall:.1f} s{f'; {told}' if told else ''}"
        return Cost(fit.wall + score.wall, fit.cpu + score.cpu), len(queries), how

    return looked_up


MEASURED = {
    "default scorers": scorers,
    "augdelete": augdelete,
    "decisions": decisions,
    "neighbour bank, exact": bank("knn"),
    "neighbour bank, approximate": bank("knn:index=ivf"),
}


if __name__ == "__main__":
    main()
