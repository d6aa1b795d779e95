"""Spectra of logits that are known."""

import math

import pytest
import torch

from grokbench_fourier.spectrum import embedding_power, gini, only_sums, sums_share, sums_spectrum


def waves(modulus: int, *frequencies: int, strength: float = 1.0) -> torch.Tensor:
    """Logits [p, p, p] made of cos(2πk(a + b − c)/p): what a model that understood would give."""
    n = torch.arange(modulus, dtype=torch.float64)
    difference = n[:, None, None] + n[None, :, None] - n[None, None, :]
    cosines = [torch.cos(2 * math.pi * k * difference / modulus) for k in frequencies]
    return strength * torch.stack(cosines).sum(0)


def memorized(modulus: int, share: float) -> torch.Tensor:
    """Logits that are right for a share of the pairs, and noise for the rest."""
    generator = torch.Generator().manual_seed(0)
    n = torch.arange(modulus)
    right = torch.nn.functional.one_hot((n[:, None] + n) % modulus, modulus).double()
    wrong = torch.randint(modulus, (modulus, modulus), generator=generator)
    noise = torch.nn.functional.one_hot(wrong, modulus).double()
    known = torch.rand(modulus, modulus, 1, generator=generator) < share
    return 10 * torch.where(known, right, noise)


@pytest.mark.parametrize("modulus", [7, 12, 31])
def test_waves_of_a_sum_are_found_at_their_frequencies(modulus: int) -> None:
    shares = sums_share(sums_spectrum(waves(modulus, 1, 3)))
    expected = torch.zeros(modulus // 2, dtype=torch.float64)
    expected[[0, 2]] = 0.5
    torch.testing.assert_close(shares, expected)


def test_a_shift_of_all_classes_and_of_single_classes_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = waves(31, 2, 5)
    pairs = torch.randn(31, 31, 1, generator=generator, dtype=torch.float64)
    classes = torch.randn(31, generator=generator, dtype=torch.float64)
    moved = sums_share(sums_spectrum(logits + pairs + classes))
    torch.testing.assert_close(sums_share(sums_spectrum(logits)), moved)


def test_a_memorized_half_has_no_frequency_that_stands_out() -> None:
    assert float(sums_share(sums_spectrum(memorized(31, 0.3))).max()) < 0.03
    assert float(sums_share(sums_spectrum(memorized(31, 0.7))).max()) < 0.06


def test_what_is_kept_and_what_is_left_make_up_the_whole() -> None:
    spectrum = sums_spectrum(waves(31, 2, 5) + waves(31, 9))
    keep = torch.zeros(15, dtype=torch.bool)
    keep[[1, 4]] = True
    torch.testing.assert_close(waves(31, 2, 5), only_sums(spectrum, keep))
    torch.testing.assert_close(waves(31, 9), only_sums(spectrum, ~keep))


def test_an_embedding_of_one_frequency_has_its_power_there() -> None:
    n = torch.arange(31, dtype=torch.float64)
    embedding = torch.stack([torch.cos(2 * math.pi * 4 * n / 31), torch.ones(31).double()], 1)
    power = embedding_power(embedding)
    assert 3 == int(power.argmax())
    assert float(power[3] / power.sum()) == pytest.approx(1.0)


def test_gini_is_0_for_equals_and_near_1_for_one_alone() -> None:
    assert float(gini(torch.ones(10).double())) == pytest.approx(0.0)
    one = torch.zeros(10, dtype=torch.float64)
    one[3] = 5.0
    assert float(gini(one)) == pytest.approx(0.9)
