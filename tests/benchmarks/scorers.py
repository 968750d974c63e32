"""Time and memory of every scorer at ImageNet's size: 100,000 images to fit, 50,000 to score, 2,048 features, 1,000 classes.

Run by ``nox -s bench -- scorers``. The outputs are synthetic and lie on disk as ``extract`` leaves them, about 1.3 GB, which the
page cache holds when they are read. Each scorer has a process of its own; then all but the neighbour scorers go together through
``score_all``; then a ResNet-50 is timed on a tenth of as many images, for the sum is to stay under that. Prints Markdown.
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import timm
import torch
from synthetic import Network, write_outputs
from timing import Cost, cost

from oodkit.errors import OodkitError
from oodkit.scorers import SCORERS, make_scorer, parse_scorer
from oodkit.scoring import score_all
from oodkit.shards import absent_shards, open_outputs, read_manifest

WIDTH, CLASSES = 2048, 1000
FIT, VAL, ID, OOD = 100_000, 5_000, 40_000, 10_000
NEIGHBOURS = ("knn", "nnguide", "relation")  # they compare every image with every other: no share of a forward pass is promised
JOINT, FORWARD = "all but the neighbour scorers", "ResNet-50"
BATCH = 64
COLUMNS = ("scorer", "learns from", "fit, s wall", "fit, s processor", "score, s wall", "score, s processor", "peak memory, GB",
           "with mapped files, GB")  # fmt: skip
GB = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of images")
    parser.add_argument("--scorer", action="append", help="only this one, such as knn:index=ivf, and no joint run; repeatable")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--folder", type=Path, help="where the outputs go, and stay for another run; default: a temporary folder")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.folder, arguments.scale)))
    elif arguments.folder:
        report(arguments.folder / f"scale-{arguments.scale:g}", arguments)
    else:
        with TemporaryDirectory() as folder:
            report(Path(folder), arguments)


def sizes(scale: float) -> dict[str, int]:
    return {"fit": round(FIT * scale), "val": round(VAL * scale), "id": round(ID * scale), "ood": round(OOD * scale)}


def write_all(folder: Path, scale: float) -> None:
    network = Network(WIDTH, CLASSES)
    for name, count in sizes(scale).items():
        if not is_whole(folder / name):
            shutil.rmtree(folder / name, ignore_errors=True)
            labels = torch.full((count,), -1) if name == "ood" else torch.arange(count) % CLASSES
            write_outputs(folder / name, labels, network)


def is_whole(folder: Path) -> bool:
    """An earlier run may have been stopped while it wrote."""
    manifest = read_manifest(folder)
    return manifest is not None and not absent_shards(folder, manifest)


def report(folder: Path, arguments: argparse.Namespace) -> None:
    write_all(folder, arguments.scale)
    counts = sizes(arguments.scale)
    on_disk = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    print(f"fit {counts['fit']:,}, val {counts['val']:,}, scored {counts['id'] + counts['ood']:,} images; D = {WIDTH:,}, "
          f"C = {CLASSES:,}; {on_disk / GB:.2f} GB on disk; {arguments.threads} threads, torch {torch.__version__}\n")  # fmt: skip
    probing = [name for name in SCORERS if make_scorer(name).probe() is not None]
    if probing:
        print(f"Left out, for they read what a probe stores beside features and logits: {', '.join(probing)}.\n")
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 2)}")
    chosen = [name for name in arguments.scorer or SCORERS if name not in probing]
    costs = {spec: row(spec, parse_scorer(spec).fits_on or "nothing", arguments, folder) for spec in chosen}
    if not arguments.scorer:
        costs[JOINT] = row(JOINT, "", arguments, folder)
        print_verdict(costs, child(FORWARD, arguments, folder), arguments.scale)


def row(name: str, learns: str, arguments: argparse.Namespace, folder: Path) -> dict:
    found = child(name, arguments, folder)
    if "reason" in found:
        print(f"| {name} | {learns} | {found['reason']} | | | | | |", flush=True)
    else:
        times = " | ".join(f"{found[key]:.2f}" if key in found else "" for key in ("fit", "fit_cpu", "score", "score_cpu"))
        print(f"| {name} | {learns} | {times} | {found['anonymous'] / GB:.2f} | {found['resident'] / GB:.2f} |", flush=True)
    return found


def child(what: str, arguments: argparse.Namespace, folder: Path) -> dict:
    """What a process of its own measures; with a ``reason`` where it could not."""
    options = [f"--scale={arguments.scale}", f"--threads={arguments.threads}", f"--folder={folder}"]
    done = subprocess.run([sys.executable, __file__, f"--measure={what}", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"reason": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def print_verdict(costs: dict[str, dict], forward: dict, scale: float) -> None:
    if "reason" in forward:
        print(f"\n{FORWARD}: {forward['reason']}")
        return
    alone = {name: one for name, one in costs.items() if name not in {JOINT, *NEIGHBOURS} and "reason" not in one}
    wall, cpu = (sum(one["fit" + kind] + one["score" + kind] for one in alone.values()) for kind in ("", "_cpu"))
    whole = forward["score"], forward["score_cpu"]
    print(f"\nResNet-50, {forward['images']:,} images of 224 × 224, batches of {BATCH}, channels last, float32, random weights: "
          f"{seconds(*whole)}, extrapolated from {forward['batches']} batches after one that is not counted.")  # fmt: skip
    print(f"Sum of {len(alone)} scorers alone: {seconds(wall, cpu)}, {wall / whole[0]:.2f} and {cpu / whole[1]:.2f} of that.")
    if "reason" not in (joint := costs[JOINT]):
        wall, cpu = joint["score"], joint["score_cpu"]
        print(f"Together, moments shared and one pass over the test images: {seconds(wall, cpu)}, {wall / whole[0]:.2f} and "
              f"{cpu / whole[1]:.2f} of it. Without scores: {', '.join(joint['failed']) or 'none'}.")  # fmt: skip
    peaks = {name: one["anonymous"] for name, one in costs.items() if "reason" not in one}
    largest = max(peaks, key=lambda name: peaks[name])
    print(f"Largest peak memory: {peaks[largest] / GB:.2f} GB ({largest}).")
    if scale != 1:
        print(f"At scale {scale} what does not depend on the number of images, such as eigenvectors, weighs too much.")


def seconds(wall: float, cpu: float) -> str:
    return f"{wall:.1f} s wall, {cpu:.1f} s processor"


def measure(what: str, folder: Path, scale: float) -> dict:
    with Peak() as peak:
        found = {JOINT: joint_run, FORWARD: forward_pass}.get(what, lambda *_: one_scorer(what, folder))(folder, scale)
    return {**found, "anonymous": peak.bytes, "resident": memory("VmHWM")}


def memory(field: str) -> int:
    """Bytes, as Linux counts them for this process."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024


class Peak:
    """The most anonymous memory that this process holds while it is open, looked at every 50 ms.

    The kernel's own high-water mark counts the pages of memory-mapped shards too, as many as there is room for: it drops them when
    somebody else needs the room, so they are no demand. Anonymous memory is what was asked for. (``ru_maxrss`` would be worse
    still: a child's starts at what its parent holds.)
    """

    bytes = 0

    def __enter__(self) -> Self:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, memory("RssAnon"))
            if self._done.wait(0.05):
                return


def one_scorer(name: str, folder: Path) -> dict:
    test = [open_outputs(folder / role) for role in ("id", "ood")]
    scorer = parse_scorer(name)
    images = None if scorer.fits_on is None else open_outputs(folder / {"train": "fit", "val": "val"}[scorer.fits_on])
    try:
        fit = cost(lambda: scorer.fit(images)) if images is not None else Cost(0, 0)
        score = cost(lambda: [scorer.score(outputs) for outputs in test])
    except OodkitError as error:
        return {"reason": str(error)}
    return {"fit": fit.wall, "fit_cpu": fit.cpu, "score": score.wall, "score_cpu": score.cpu}


def joint_run(folder: Path, scale: float) -> dict:
    sets = {name: open_outputs(folder / name) for name in sizes(scale)}
    names = [name for name in SCORERS if name not in NEIGHBOURS and make_scorer(name).probe() is None]
    jobs = []
    wall, cpu = cost(lambda: jobs.extend(score_all(names, sets["id"], {"ood": sets["ood"]}, fit=sets["fit"], val=sets["val"])))
    return {"score": wall, "score_cpu": cpu, "failed": [job.name for job in jobs if job.reason]}


@torch.no_grad()
def forward_pass(folder: Path, scale: float, batches: int = 10) -> dict:
    net = timm.create_model("resnet50").eval().to(memory_format=torch.channels_last)
    pixels = torch.randn(BATCH, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    net(pixels)
    wall, cpu = cost(lambda: [net(pixels) for _ in range(batches)])
    images = round((ID + OOD) * scale / 10)
    share = images / (batches * BATCH)
    return {"score": wall * share, "score_cpu": cpu * share, "images": images, "batches": batches}


if __name__ == "__main__":
    main()
