"""What may fail for want of memory, or for what the numbers are, and not for a mistake in the code."""

import torch

from oodkit.wording import in_short

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an accelerator or the machine had no room; neither PyTorch's allocator for the CPU nor cuBLAS has a type for that."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


def reason_of(error: Exception, device: torch.device) -> str | None:
    """What was met, on one line, for an error that ends one computation and need not end the others; None for any other."""
    if is_out_of_memory(error):
        return f"ran out of memory on {device}: {in_short(error) or 'no more is known'}"
    if isinstance(error, torch.linalg.LinAlgError):  # type: ignore[attr-defined]  # documented, and missing from its __all__
        return f"met a decomposition that did not converge: {in_short(error)}"
    return None
