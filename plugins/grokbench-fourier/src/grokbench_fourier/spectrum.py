"""Discrete Fourier spectra over the numbers modulo p, and their sparsity."""

import torch
from torch import Tensor


def embedding_power(embedding: Tensor) -> Tensor:
    """The power of each frequency 1 … ⌊p/2⌋ in an embedding [p, width] of the numbers: [⌊p/2⌋]."""
    spectrum = torch.fft.rfft(embedding, dim=0)[1:]
    power: Tensor = spectrum.abs().square().sum(1)
    return power


def sums_spectrum(logits: Tensor) -> Tensor:
    """The two-dimensional Fourier transform over a and b of logits [p, p, classes]: complex.

    The mean over classes is subtracted from the logits of each pair, because a constant that is
    added to all classes does not change the answer.
    """
    spectrum: Tensor = torch.fft.fft2(logits - logits.mean(-1, keepdim=True), dim=(0, 1))
    return spectrum


def sums_share(spectrum: Tensor) -> Tensor:
    """The share of the logits' variance in waves of a + b, for each frequency: [⌊p/2⌋].

    A wave cos(2πk(a + b)/p + φ) is at (k, k) and (−k, −k) of the two-dimensional spectrum. For
    even p and k = p/2 these are the same place, which must not count twice.
    """
    power = spectrum.abs().square().sum(-1)
    varying = power.sum() - power[0, 0]
    modulus = len(power)
    k = torch.arange(1, modulus // 2 + 1, device=power.device)
    mirrored = torch.where(2 * k == modulus, 0.0, power[-k, -k])
    return (power[k, k] + mirrored) / varying.clamp(min=torch.finfo(power.dtype).tiny)


def only_sums(spectrum: Tensor, keep: Tensor) -> Tensor:
    """Logits [p, p, classes] that consist of the mean and of waves of a + b with some frequencies.

    Args:
        spectrum: the result of `sums_spectrum`.
        keep: bool [⌊p/2⌋], which of the frequencies 1 … ⌊p/2⌋ are kept.
    """
    k = torch.arange(1, len(keep) + 1, device=keep.device)[keep]
    mask = torch.zeros(spectrum.shape[:2], dtype=torch.bool, device=keep.device)
    mask[0, 0] = True
    mask[k, k] = mask[-k, -k] = True
    logits: Tensor = torch.fft.ifft2(spectrum * mask.unsqueeze(-1), dim=(0, 1)).real
    return logits


def gini(power: Tensor) -> Tensor:
    """The Gini coefficient of non-negative numbers: 0 if all are equal, near 1 if one dominates.

    Hurley & Rickard 2009 (arXiv:0811.4706), who compare measures of sparsity.
    """
    ordered, count = power.sort().values, len(power)
    rank = torch.arange(1, count + 1, device=power.device, dtype=power.dtype)
    weights = (count - rank + 0.5) / count
    return 1 - 2 * (ordered * weights).sum() / ordered.sum().clamp(
        min=torch.finfo(power.dtype).tiny
    )
