"""Which errors are want of memory, or of a decomposition, and which are mistakes."""

import pytest
import torch

from oodkit.failures import is_out_of_memory, reason_of

CPU = torch.device("cpu")


def test_memory_that_pytorch_can_t_have_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**50)
    assert is_out_of_memory(raised.value)
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(KeyError("out of memory"))


def test_a_reason_is_one_line():
    assert reason_of(MemoryError("a\nb"), CPU) == "ran out of memory on cpu: a b"
    assert reason_of(MemoryError(), CPU) == "ran out of memory on cpu: no more is known"
    with pytest.raises(torch.linalg.LinAlgError) as raised:
        torch.linalg.eigh(torch.full((3, 3), torch.nan))
    assert reason_of(raised.value, CPU).startswith("met a decomposition that did not converge: linalg.eigh")
    assert reason_of(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), CPU) is None
