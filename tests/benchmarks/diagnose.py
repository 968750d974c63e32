"""Wall time of ``diagnose`` with all scorers over JPEG files at 224 px, against a bare loop over the same loader and forward pass.

Run by ``nox -s bench``. Weights are random and images are cut from scikit-learn's photographs: the time depends on neither.
"""

import argparse
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from timing import cost

from oodkit import extraction
from oodkit.classifier import load_classifier
from oodkit.diagnosis import diagnose
from oodkit.extraction import extract
from oodkit.images import open_images
from oodkit.reading import read_batches
from oodkit.scorers import SCORERS
from oodkit.scoring import score_all

SETS = {"id": 512, "fit": 256, "near": 128, "far": 128}
CLASSES = ("n01440764", "n01443537", "n01484850", "n01491361")


def make_jpegs(folder: Path, count: int, seed: int) -> None:
    """``count`` JPEG files of 500 × 375 pixels, quality 92, in class folders."""
    rng = np.random.default_rng(seed)
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    for i in range(count):
        photograph = photographs[rng.integers(2)]
        top, left = rng.integers(0, photograph.shape[0] - 200), rng.integers(0, photograph.shape[1] - 260)
        patch = Image.fromarray(photograph[top : top + 200, left : left + 260]).resize((500, 375))
        path = folder / CLASSES[i % len(CLASSES)] / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        patch.save(path, quality=92)


@contextmanager
def bare_share(net: torch.nn.Module) -> Iterator[dict[str, float]]:
    """Seconds that a run spends on what a bare loop does too: in the network, and waiting for the next batch of images.

    On a machine that others load as well, two runs can't be compared; the shares of one run can.
    """
    share, started = {"network": 0.0, "images": 0.0}, []

    def timed(loader: Iterator) -> Iterator:
        while True:
            start = time.perf_counter()
            batch = next(loader, None)
            share["images"] += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def end(*_: object) -> None:
        share["network"] += time.perf_counter() - started.pop()

    hooks = net.register_forward_pre_hook(lambda *_: started.append(time.perf_counter())), net.register_forward_hook(end)
    extraction.read_batches = lambda *arguments, **options: timed(read_batches(*arguments, **options))
    yield share
    extraction.read_batches = read_batches
    for hook in hooks:
        hook.remove()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of images")
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(0)
        weights = folder / "weights.safetensors"
        save_file(timm.create_model(arguments.arch).state_dict(), weights)
        for seed, (role, count) in enumerate(SETS.items()):
            make_jpegs(folder / role, round(count * arguments.scale), seed)
        model = load_classifier(str(weights), arch=arguments.arch)
        sets = {role: open_images(str(folder / role)) for role in SETS}
        measure(model, sets, folder / "cache", arguments.workers)


def measure(model, sets, cache: Path, workers: int | None) -> None:
    net = model.net.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def bare_loop() -> None:
        for images in sets.values():
            batches = [list(range(start, min(start + 64, len(images)))) for start in range(0, len(images), 64)]
            for _, pixels, _ in read_batches(images, model.transform, batches, workers=workers):
                net(pixels.contiguous(memory_format=torch.channels_last))

    def extract_all() -> dict:
        return {role: extract(model, images, cache=cache, workers=workers) for role, images in sets.items()}

    def diagnose_all() -> None:
        outputs = extract_all()
        ood = {"near": outputs["near"], "far": outputs["far"]}
        diagnose(model.name, outputs["id"], ood, fit=outputs["fit"], groups={"near": "near", "far": "far"})

    images = sum(len(one) for one in sets.values())
    print(f"{model.name}: {images} JPEG files, {torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    bare = cost(bare_loop)
    print(f"bare loop:            {bare}   {images / bare.wall:.1f} images/s", flush=True)
    with bare_share(model.net) as share:
        cold = cost(diagnose_all)
    print(f"diagnose, cold:       {cold}   ratio to the loop {cold.wall / bare.wall:.3f} wall, {cold.cpu / bare.cpu:.3f} processor")
    print(f"  in the network {share['network']:.1f} s, waiting for images {share['images']:.1f} s wall: ratio to both "
          f"{cold.wall / sum(share.values()):.3f}")  # fmt: skip
    print(f"diagnose, cached:     {cost(diagnose_all)}", flush=True)
    outputs = extract_all()
    ood = {"near": outputs["near"], "far": outputs["far"]}
    scoring = cost(lambda: score_all(list(SCORERS), outputs["id"], ood, fit=outputs["fit"]))
    print(f"of which {len(SCORERS)} scorers:  {scoring}")
    own, worker = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"peak memory:          {own:8.0f} MiB, and {worker:.0f} MiB the largest worker")
    helps = [cost(lambda: subprocess.run(["oodkit", "--help"], stdout=subprocess.DEVNULL, check=True)).wall for _ in range(5)]
    print(f"oodkit --help:        {min(helps):8.2f} s, the shortest of 5")


if __name__ == "__main__":
    main()
