"""From noise to images: DPM-Solver++(2M) (Lu et al., arXiv:2211.01095), deterministic, as diffusers has it for EDM."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from oodkit.synth.fit.denoiser import Denoiser

SIGMA_MIN, SIGMA_MAX = 0.002, 80.0  # EDM's, table 1
STEPS = 20
GUIDANCE = 1.5  # little enough to keep a class diverse; without any, a network of a short training mixes the classes up


def scheduler_config(sigma_data: float) -> dict[str, Any]:
    """Of diffusers' ``EDMDPMSolverMultistepScheduler``."""
    return {"sigma_min": SIGMA_MIN, "sigma_max": SIGMA_MAX, "sigma_data": sigma_data, "solver_order": 2}


@torch.no_grad()
def sample(denoiser: Denoiser, labels: Sequence[int], seeds: Sequence[int], *, steps: int, guidance: float) -> Tensor:
    """Images (N, 3, H, W) in about [−1, 1], float32, of N labels, each from noise of its own seed.

    steps: passes of the network. guidance: 1 = none; above, the class counts for more (classifier-free, which takes two passes a
    step). The noise is drawn on the CPU, so that a seed is the same image on every device, to rounding.
    """
    from diffusers import EDMDPMSolverMultistepScheduler

    scheduler: Any = EDMDPMSolverMultistepScheduler(**scheduler_config(denoiser.shape.sigma_data))  # type: ignore[no-untyped-call]  # diffusers'
    first = next(denoiser.parameters())
    scheduler.set_timesteps(steps, device=first.device)
    own = torch.tensor(labels, device=first.device)
    images = _noise(seeds, denoiser.shape.side).to(first.device) * SIGMA_MAX
    for time in scheduler.timesteps:
        scaled = scheduler.scale_model_input(images, time).to(first.dtype)
        found = denoiser.raw(scaled, time, own)
        if guidance != 1:
            without = denoiser.raw(scaled, time, torch.full_like(own, denoiser.shape.classes))
            found = without + guidance * (found - without)
        images = scheduler.step(found, time, images).prev_sample
    return images


def _noise(seeds: Sequence[int], side: int) -> Tensor:
    return torch.stack([torch.randn(3, side, side, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
