"""The share of a synthesis' wall time that its network takes: of BigGAN-deep-128 and of a small fitted diffusion model.

Run by ``nox -s bench -- synthesis``. All of ``oodkit.synthesize`` is timed, from the plan to the finished folder, and within it
the network's forward passes. What remains is noise, the steps of the solver, encoding, files, manifest and journal, as far as they
don't run beside the network. BigGAN's weights are random: its images are noise, which PNG takes longest over. The diffusion model
is one that ``oodkit synth fit`` left in a folder; by default one that is fitted to the demo's digits for an epoch. Prints Markdown.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from torch import nn

from oodkit.images import open_images
from oodkit.synth.base import Generator
from oodkit.synth.biggan import BigGAN
from oodkit.synth.biggan_generator import BigGAN as BigGANGenerator
from oodkit.synth.fit.fitted import FittedDiffusion
from oodkit.synth.fit.run import fit_generator
from oodkit.synth.run import synthesize

COLUMNS = ("generator", "side", "images", "batch", "threads", "device", "precision", "images/s", "network, s", "all, s", "share")


class Clock:
    """Wall time within a network's forward passes."""

    def __init__(self, net: nn.Module, device: torch.device) -> None:
        self.seconds, self._device = 0.0, device
        net.register_forward_pre_hook(lambda *_: self._begin())
        net.register_forward_hook(lambda *_: self._end())

    def _begin(self) -> None:
        self._since = self._now()

    def _end(self) -> None:
        self.seconds += self._now() - self._since

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=96, help="of BigGAN; of the diffusion model ten times as many")
    parser.add_argument("--fit", type=Path, help="a folder that oodkit synth fit made; default: one epoch on the demo's digits")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batch-size", type=int, help="default: the generator's own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    with TemporaryDirectory() as folder:
        gan = random_biggan(Path(folder), given)
        measure(gan, gan.net, given.images, given)
        fitted = FittedDiffusion(given.fit or fitted_to_digits(Path(folder)), device=given.device, dtype=given.dtype)
        measure(fitted, fitted.denoiser.unet, 10 * given.images, given)


def random_biggan(folder: Path, given: argparse.Namespace) -> BigGANGenerator:
    torch.manual_seed(0)
    file = folder / "biggan.safetensors"
    save_file(BigGAN().state_dict(), file)
    return BigGANGenerator("biggan-deep-128", size=128, weights=str(file), device=given.device, dtype=given.dtype)


def fitted_to_digits(folder: Path) -> Path:
    return fit_generator(open_images("demo:digits:train"), output=folder / "fit", epochs=1, device="cpu", workers=0)


def measure(generator: Generator, net: nn.Module, images: int, given: argparse.Namespace) -> None:
    """Of several rounds the best counts, by its whole time; the first, which warms, is none of them."""
    device, clock = next(net.parameters()).device, Clock(net, next(net.parameters()).device)
    batch = given.batch_size or generator.batch_size
    assert generator.classes is not None
    classes = generator.classes[: min(8, len(generator.classes))]

    def one_round(per_class: int) -> tuple[float, float]:
        with TemporaryDirectory() as folder:
            clock.seconds = 0
            whole = timed(
                lambda: synthesize(generator, Path(folder) / "set", classes=classes, per_class=per_class, batch_size=batch)
            )
        return whole, clock.seconds

    one_round(1)
    per_class = -(-images // len(classes))
    whole, within = min(one_round(per_class) for _ in range(given.rounds))
    made = per_class * len(classes)
    how = (generator.title, generator.size, made, batch, torch.get_num_threads(), device.type, generator.facts["dtype"])
    figures = (f"{made / whole:.1f}", f"{within:.2f}", f"{whole:.2f}", f"{within / whole:.3f}")
    print(f"| {' | '.join(map(str, (*how, *figures)))} |", flush=True)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
