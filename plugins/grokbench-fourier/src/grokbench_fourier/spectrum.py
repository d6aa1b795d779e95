"""Spectra over the numbers modulo p, and how few frequencies they rest on."""

import torch
from torch import Tensor


def embedding_power(embedding: Tensor) -> Tensor:
    """Power of each frequency 1 … ⌊p/2⌋ in an embedding [p, width] of the numbers: [⌊p/2⌋]."""
    spectrum = torch.fft.rfft(embedding, dim=0)[1:]
    power: Tensor = spectrum.abs().square().sum(1)
    return power


def sums_spectrum(logits: Tensor) -> Tensor:
    """The logits [p, p, classes] for a and b, as waves over a and b: complex [p, p, classes].

    Each pair's logits are centred first: what all classes have in common decides nothing.
    """
    spectrum: Tensor = torch.fft.fft2(logits - logits.mean(-1, keepdim=True), dim=(0, 1))
    return spectrum


def sums_share(spectrum: Tensor) -> Tensor:
    """Each frequency's share of the logits' variance that goes with waves of a + b: [⌊p/2⌋].

    A wave cos(2πk(a + b)/p + φ) lies at (k, k) and (−k, −k) of the two-dimensional spectrum.
    """
    power = spectrum.abs().square().sum(-1)
    varying = power.sum() - power[0, 0]
    modulus = len(power)
    k = torch.arange(1, modulus // 2 + 1, device=power.device)
    mirrored = torch.where(2 * k == modulus, 0.0, power[-k, -k])
    return (power[k, k] + mirrored) / varying.clamp(min=torch.finfo(power.dtype).tiny)


def only_sums(spectrum: Tensor, keep: Tensor) -> Tensor:
    """The logits made of some frequencies' waves of a + b alone, and of the mean.

    Args:
        spectrum: as `sums_spectrum` gives it.
        keep: which of the frequencies 1 … ⌊p/2⌋, bool.
    """
    k = torch.arange(1, len(keep) + 1, device=keep.device)[keep]
    mask = torch.zeros(spectrum.shape[:2], dtype=torch.bool, device=keep.device)
    mask[0, 0] = True
    mask[k, k] = mask[-k, -k] = True
    logits: Tensor = torch.fft.ifft2(spectrum * mask.unsqueeze(-1), dim=(0, 1)).real
    return logits


def gini(power: Tensor) -> Tensor:
    """The Gini coefficient of numbers that are not negative: 0 all equal, near 1 one has it all.

    Hurley & Rickard 2009 (arXiv:0811.4706), who compare measures of sparsity.
    """
    ordered, count = power.sort().values, len(power)
    rank = torch.arange(1, count + 1, device=power.device, dtype=power.dtype)
    weights = (count - rank + 0.5) / count
    return 1 - 2 * (ordered * weights).sum() / ordered.sum().clamp(
        min=torch.finfo(power.dtype).tiny
    )
