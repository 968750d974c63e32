"""Where bfloat16 is faster than float32; it has the same range, and images of 8 bits need no finer steps."""

import torch


def fast_in_bf16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware; on CPUs that is AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()  # noqa: SLF001 (the only name that it has)
