"""The processes that train together, and the device of each: accelerate's, however they were started."""

from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from oodkit.errors import UsageError
from oodkit.forward import resolve_device
from oodkit.processes import world_size
from oodkit.training.settings import Amp

if TYPE_CHECKING:
    from accelerate import Accelerator

# After the last step the first process alone extracts features and refits the last layer, hours on ImageNet, while the others wait
# for it. By default that ends all with an error after 10 minutes on GPUs, or 30 on CPUs.
PATIENCE = timedelta(days=7)


def join_processes(*, device: str = "auto", amp: Amp = "no", leaves_unused: bool = False) -> "Accelerator":
    """The Accelerator of this process: of those that torchrun or accelerate started, or alone on the device of that name.

    leaves_unused: some parameters have no gradient in some steps. Raises UsageError for a device that is not here, and for a
    precision that it does not train in.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

    place = resolve_device(device)
    if amp == "fp16" and place.type == "cpu":
        raise UsageError("--amp fp16 needs a GPU, and this runs on the CPU; use --amp bf16 or no")
    together = torch.distributed.is_initialized() or world_size() > 1
    if place.type == "cuda" and not together:
        torch.cuda.set_device(place)
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001 (else a process could train in one precision only)
    unused = DistributedDataParallelKwargs(find_unused_parameters=leaves_unused)
    return Accelerator(
        mixed_precision=amp, cpu=place.type == "cpu", kwargs_handlers=[unused, InitProcessGroupKwargs(timeout=PATIENCE)]
    )
