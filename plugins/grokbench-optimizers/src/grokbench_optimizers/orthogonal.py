"""The nearest orthogonal matrix of many matrices at once, by the iteration of Newton and Schulz."""

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a X + b (X Xᵀ) X + c (X Xᵀ)² X, as chosen by Jordan et al. 2024: the steepest at
zero, so that few iterations are needed. The singular values end between about 0.7 and 1.2, not at 1."""

SMALLEST_NORM = 1e-7
"""A matrix with a smaller Frobenius norm is divided by this number instead of its norm."""


def orthogonalized(matrices: Tensor, iterations: int) -> Tensor:
    """U Vᵀ, approximately, of each matrix U S Vᵀ: [matrices, rows, columns], rows ≤ columns.

    Jordan et al. 2024, *Muon: An optimizer for hidden layers in neural networks*. Each matrix is
    computed by itself, in the precision that it is given in.
    """
    a, b, c = COEFFICIENTS
    # With a Frobenius norm of 1, no singular value is above 1, and the iteration converges.
    norm = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True)
    found = matrices / norm.clamp(min=SMALLEST_NORM)
    for _ in range(iterations):
        gram = torch.bmm(found, found.mT)
        found = torch.baddbmm(
            found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a
        )
    return found
