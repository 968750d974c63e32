"""The device of a process that makes images by itself, beside others."""

import os

import torch

from oodkit.forward import resolve_device
from oodkit.training.processes import world_size


def device_here(device: str) -> str:
    """The device of that name, which of several processes on one machine is the GPU of each where none is named by its number.

    Raises UsageError where there is no such device.
    """
    place = resolve_device(device)
    if device in {"auto", "cuda"} and place.type == "cuda" and world_size() > 1:
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"
    return str(place)
