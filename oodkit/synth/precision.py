"""The precision that generators compute in where none is said: one rule for all that may choose."""

from typing import Literal

import torch


def fast_in_bf16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware: CUDA of 8.0 and above, ROCm, and CPUs with AMX."""
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and getattr(torch.cpu, "_is_amx_tile_supported", bool)()  # a name that torch may take back


def best_precision(device: torch.device) -> Literal["bfloat16", "float32"]:
    """bfloat16 where the device is fast in it: it has float32's range, and images of 8 bits need no finer steps."""
    return "bfloat16" if fast_in_bf16(device) else "float32"
