"""The processes that train together, and the device of each: accelerate's, however they were started."""

import os
from typing import TYPE_CHECKING

import torch

from oodkit.errors import UsageError
from oodkit.forward import resolve_device
from oodkit.training.settings import Amp

if TYPE_CHECKING:
    from accelerate import Accelerator


def join_processes(*, device: str = "auto", amp: Amp = "no", leaves_unused: bool = False) -> "Accelerator":
    """The Accelerator of this process: of those that torchrun or accelerate started, or alone on the device of that name.

    leaves_unused: some parameters have no gradient in some steps. Raises UsageError for a device that is not here, and for a
    precision that it does not train in.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedDataParallelKwargs

    place = resolve_device(device)
    if amp == "fp16" and place.type == "cpu":
        raise UsageError("--amp fp16 needs a GPU, and this runs on the CPU; use --amp bf16 or no")
    together = torch.distributed.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) > 1
    if place.type == "cuda" and not together:
        torch.cuda.set_device(place)
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001 (else a process could train in one precision only)
    unused = DistributedDataParallelKwargs(find_unused_parameters=leaves_unused)
    return Accelerator(mixed_precision=amp, cpu=place.type == "cpu", kwargs_handlers=[unused])
