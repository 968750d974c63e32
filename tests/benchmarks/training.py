"""Images a second of the training loop, against those of a bare forward-backward-step loop, on the same synthetic tensors.

Run by ``nox -s bench -- training``. The bare loop does what any loop must: forward, cross-entropy, backward, step of the same
optimiser. ``run`` also seeds and schedules each step, looks whether its loss is finite, counts, logs every 50 steps, and saves a
checkpoint at the end; with ``ema`` it averages too. Both run in turn, round after round; of each the best round counts, by the wall
clock and by processor time; only the second can be trusted where other programs take turns on the machine. Prints Markdown.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
from timing import Cost, cost
from torch import nn

from oodkit.forward import resolve_device
from oodkit.training.batch import Batch
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.learner import Learner
from oodkit.training.log import Log
from oodkit.training.loop import learn
from oodkit.training.optimizer import make_optimizer
from oodkit.training.processes import join_processes
from oodkit.training.recipes import make_recipe
from oodkit.training.settings import Settings

CLASSES = 10
CASES = ("test_resnet,64", "resnet18,32")  # a timm name and the side of its images
COLUMNS = (
    "network",
    "side",
    "batch",
    "threads",
    "precision",
    "average",
    "bare, images/s",
    "loop, images/s",
    "share",
    "by processor",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", help=f"NAME,SIDE; default: {' and '.join(CASES)}")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--amp", default="no", choices=("no", "bf16", "fp16"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ema", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for case in arguments.case or CASES:
        name, side = case.split(",")
        compare(name, int(side), arguments)


def compare(name: str, side: int, given: argparse.Namespace) -> None:
    settings = Settings(epochs=1, batch_size=given.batch_size, amp=given.amp, ema=given.ema)
    device = resolve_device(given.device)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(given.batch_size, 3, side, side, generator=generator)
    labels = torch.randint(CLASSES, (given.batch_size,), generator=generator)
    with TemporaryDirectory() as folder:

        def bare() -> None:
            bare_loop(name, images.to(device), labels.to(device), settings, given.steps)

        def whole() -> None:
            loop(name, images, labels, settings, given.steps, given.device, Path(folder))

        bare(), whole()  # warm
        rounds = [(timed(bare, device), timed(whole, device)) for _ in range(given.rounds)]
    (wall, processor), (loop_wall, loop_processor) = (
        (min(one.wall for one in costs), min(one.cpu for one in costs)) for costs in zip(*rounds, strict=True)
    )
    count = given.steps * given.batch_size
    rates = (f"{count / wall:.0f}", f"{count / loop_wall:.0f}", f"{wall / loop_wall:.3f}", f"{processor / loop_processor:.3f}")
    how = (name, side, given.batch_size, given.threads, given.amp, "ema" if given.ema else "–")
    print(f"| {' | '.join(map(str, (*how, *rates)))} |", flush=True)


def timed(work: Callable[[], None], device: torch.device) -> Cost:
    def until_done() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return cost(until_done)


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=CLASSES)


def bare_loop(name: str, images: torch.Tensor, labels: torch.Tensor, settings: Settings, steps: int) -> None:
    net = network(name).to(images.device).to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    optimizer = make_optimizer(net, settings)
    precision = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.amp]
    for _ in range(steps):
        with torch.autocast(images.device.type, precision, enabled=settings.amp != "no"):
            loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def loop(name: str, images: torch.Tensor, labels: torch.Tensor, settings: Settings, steps: int, device: str, folder: Path) -> None:
    recipe = make_recipe("v1")
    net = network(name)
    (folder / "last.safetensors").unlink(missing_ok=True)
    learn(
        Learner(net, "fc", net.num_features, nn.Module(), recipe.loss),
        lambda start, stop: (Batch((images,), labels) for _ in range(start, stop)),
        settings,
        steps_per_epoch=steps,
        accelerator=join_processes(device=device, amp=settings.amp),
        checkpoints=Checkpoints(folder),
        log=Log(folder),
    )


if __name__ == "__main__":
    main()
