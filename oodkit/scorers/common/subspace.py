"""The principal space of ID features about the point where all logits are zero: what ViM and its residual share."""

from typing import Literal

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.memo import once
from oodkit.moments import counted, moments, whitening
from oodkit.outputs import Outputs

Dim = int | Literal["paper"] | None


def resolved(name: str, dim: Dim, width: int, default: int) -> int:
    """The number of principal dimensions: None takes ``default``, or half of the features where there are no more than that.

    ``"paper"`` takes 1000 for D ≥ 2048, 512 for D ≥ 768, else D // 2. Raises NotApplicableError where nothing would be left.
    """
    if width < 2:
        raise NotApplicableError(f"{name} needs a dim from 1 to below the number of features, and this network has {width}")
    if dim is None:
        return default if width > default else width // 2
    if dim == "paper":
        return 1000 if width >= 2048 else 512 if width >= 768 else width // 2
    if dim >= width:
        raise NotApplicableError(f"{name} takes a dim below the {width} features of this network, got {dim}")
    return dim


@once
def origin(outputs: Outputs) -> Tensor:
    """(D,) −W⁺b, the shortest feature whose logits are all zero, or as near to that as can be.

    W⁺ = Wᵀ (W Wᵀ)⁺ = (Wᵀ W)⁺ Wᵀ: through the smaller of both products, whose pseudo-inverse is much cheaper than W's.
    """
    head = outputs.head
    assert head is not None
    weight, bias = (tensor.to(outputs.device).double() for tensor in (head.weight, head.bias))
    if head.num_classes > head.num_features:
        factor = whitening(weight.mT @ weight)
        return -factor @ (factor.mT @ (weight.mT @ bias))
    factor = whitening(weight @ weight.mT)
    return -weight.mT @ (factor @ (factor.mT @ bias))


@once
def _directions(outputs: Outputs) -> Tensor:
    """(D, r) the eigenvectors of the second moment about the origin, the leading one last, without those of value zero."""
    values, vectors = moments(outputs).eigenpairs(origin(outputs))
    return vectors[:, counted(values, len(vectors))]


def principal(name: str, outputs: Outputs, dim: int) -> Tensor:
    """(D, dim) the leading eigenvectors of the mean of (f − u)(f − u)ᵀ. A grid over dim makes no second decomposition.

    Raises NotApplicableError where the images span no more than ``dim`` dimensions.
    """
    vectors = _directions(outputs)
    if vectors.shape[1] <= dim:
        raise NotApplicableError(
            f"{name} finds nothing of the features to learn from outside {dim} dimensions; give more images or a smaller dim"
        )
    return vectors[:, -dim:].contiguous()


def lengths(features: Tensor, centre: Tensor, inside: Tensor) -> Tensor:
    """(n,) lengths of f − u outside the principal space.

    ‖Rᵀv‖² = ‖v‖² − ‖Qᵀv‖² spares the wide R; the difference is good to 1e-8 of ‖v‖.
    """
    shifted = features - centre
    whole, kept = (torch.linalg.vector_norm(rows, dim=1) for rows in (shifted, shifted @ inside))
    outside: Tensor = (whole.square() - kept.square()).clamp(min=0).sqrt()
    return outside
