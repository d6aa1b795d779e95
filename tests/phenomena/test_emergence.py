"""Emergence: at how many parameters an ability appears."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena import Emergence
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, shuffled, world

SIZES = (8, 16, 32, 64, 128, 256, 512)


def emerging(at, seeds=5, sizes=SIZES, lost=()):
    """Models that generalize from size `at(seed)` on; a size has 100 parameters a unit."""

    def run(size: int, _: int, seed: int) -> Run:
        if (size, seed) in lost:
            return NOT_RUN
        return ending_at(1.0 if size >= at(seed) else 0.03)

    return world(run, sizes=sizes, seeds=tuple(range(seeds)))


def found(reference, shifted, confidence=0.95, **options):
    data = {"reference": reference, "shifted": shifted}
    return Emergence.from_options(options).at(confidence).find(data)


FEW = 2.306004 * 2**0.5 / 5
"""What five seeds that agree leave open in each experiment: Student's t with 8 degrees of freedom times the
standard error if one of the five differed by one doubling."""


def test_eight_times_the_parameters_is_three_doublings():
    finding = found(emerging(lambda _: 16), emerging(lambda _: 128))
    assert pytest.approx(3.0) == finding.effect
    assert pytest.approx((2.0 - FEW, 4.0 + FEW)) == (finding.low, finding.high)
    assert 5 == finding.seeds


def test_emerging_at_the_same_size_is_no_shift():
    finding = found(emerging(lambda _: 64), emerging(lambda _: 64))
    assert pytest.approx((0.0, -1.0 - FEW, 1.0 + FEW)) == (
        finding.effect,
        finding.low,
        finding.high,
    )


@pytest.mark.parametrize("seeds", [2, 5, 40])
def test_seeds_that_agree_are_not_sure_at_every_confidence(seeds):
    """At 95 %, 99.64 % and 99.99 % each interval is wider than the one before."""
    data = emerging(lambda _: 16, seeds=seeds), emerging(lambda _: 128, seeds=seeds)
    lows = [found(*data, confidence).low for confidence in (0.95, 0.9964, 0.9999)]
    assert 2.0 > lows[0] > lows[1] > lows[2]


def test_what_one_seed_leaves_open_is_a_step_of_the_grid_at_the_bracket():
    """Sizes twice as close at the transitions, and far apart elsewhere."""
    sizes = (1, 8, 16, 32, 64, 128, 256, 4096)
    finding = found(emerging(lambda _: 32, sizes=sizes), emerging(lambda _: 64, sizes=sizes))
    assert pytest.approx((0.0 - FEW, 2.0 + FEW)) == (finding.low, finding.high)


def test_a_single_size_does_not_say_how_seeds_vary():
    one = (64,)
    finding = found(emerging(lambda _: 16, sizes=one), emerging(lambda _: 128, sizes=one))
    assert (-np.inf, np.inf) == (finding.low, finding.high)


def test_seeds_that_differ_widen_the_interval():
    steady = found(emerging(lambda _: 16), emerging(lambda _: 128))
    varied = found(emerging(lambda _: 16), emerging(lambda seed: 64 if seed < 2 else 256))
    assert varied.high - varied.low > steady.high - steady.low


def test_exchanging_the_roles_changes_the_sign():
    one, other = emerging(lambda seed: 16 + seed * 8), emerging(lambda _: 128)
    forth, back = found(one, other), found(other, one)
    assert pytest.approx((-forth.high, -forth.low)) == (back.low, back.high)


def test_what_never_emerges_needs_at_least_so_much_more():
    finding = found(emerging(lambda _: 16), emerging(lambda _: 9999))
    assert np.inf == finding.high
    assert pytest.approx(5.0 - FEW) == finding.low
    assert "more than 51200 when shifted" in finding.evidence


def test_two_seeds_at_opposite_ends_of_the_grid_have_no_median_bound():
    """One seed has the ability at the smallest size, the other one never."""
    opposite = emerging(lambda seed: (1, 9999)[seed], seeds=2)
    assert (
        "takes: 800 to 1600 in the reference, no bound when shifted (medians over seeds)"
        in found(emerging(lambda _: 16, seeds=2), opposite).evidence
    )


def test_the_best_of_seeds_is_no_median():
    data = emerging(lambda _: 16, seeds=3), emerging(lambda _: 128, seeds=3)
    assert "medians" not in found(*data, best_of_seeds=True).evidence


def test_one_seed_that_never_emerges_leaves_the_upper_end_open():
    finding = found(emerging(lambda _: 16), emerging(lambda seed: 9999 if seed == 0 else 128))
    assert np.inf == finding.high
    assert finding.low > 0


def test_a_reference_that_emerges_at_the_smallest_size_leaves_the_upper_end_open():
    finding = found(emerging(lambda _: 1), emerging(lambda _: 128))
    assert (True, np.inf) == (finding.low > 2, finding.high)


def test_a_reference_that_never_emerges_leaves_the_lower_end_open():
    assert -np.inf == found(emerging(lambda _: 9999), emerging(lambda _: 128)).low


def test_nothing_that_emerges_says_nothing():
    nothing = emerging(lambda _: 9999)
    with pytest.raises(OutOfReachError, match=r"neither experiment reaches 0\.9.*larger models"):
        found(nothing, nothing)


def test_nothing_that_emerges_is_out_of_reach_only_once_every_size_was_tried():
    unfinished = emerging(lambda _: 9999, lost={(512, seed) for seed in range(5)})
    with pytest.raises(NotEnoughDataError, match=r"neither experiment reaches 0\.9") as raised:
        found(emerging(lambda _: 9999), unfinished)
    assert not isinstance(raised.value, OutOfReachError)


def test_the_best_of_three_seeds_can_be_taken():
    """The largest of three replaces the smallest in the upper end: it may be the best by luck."""
    shifted = emerging(lambda seed: 128 if seed == 1 else 512, seeds=3)
    finding = found(emerging(lambda _: 16, seeds=3), shifted, 0.9, best_of_seeds=True)
    assert pytest.approx((3.0, 2.0, 6.0)) == (finding.effect, finding.low, finding.high)
    assert 3 == finding.seeds


def test_the_best_of_alike_seeds_is_known_as_well_as_the_grid_is_fine():
    data = emerging(lambda _: 16, seeds=3), emerging(lambda _: 128, seeds=3)
    finding = found(*data, 0.9, best_of_seeds=True)
    assert pytest.approx((2.0, 4.0)) == (finding.low, finding.high)


@pytest.mark.parametrize(
    ("seeds", "enough", "too_much"),
    [((3, 3), 0.9, 0.95), ((3, 8), 0.987, 1 - 0.05 / 14), ((5, 8), 1 - 0.05 / 14, 0.9999)],
)
def test_the_interval_has_no_ends_at_a_confidence_that_the_seeds_do_not_reach(
    seeds, enough, too_much
):
    """All seeds of one experiment come first by chance in 1 of 20, of 165 and of 1287 orders."""
    data = emerging(lambda _: 16, seeds=seeds[0]), emerging(lambda _: 128, seeds=seeds[1])
    known = found(*data, enough, best_of_seeds=True)
    assert pytest.approx((2.0, 4.0)) == (known.low, known.high)
    unknown = found(*data, too_much, best_of_seeds=True)
    assert (-np.inf, np.inf) == (unknown.low, unknown.high)
    assert "too few" not in known.evidence
    assert "too few seeds for a lower and upper end at" in unknown.evidence


def test_each_end_depends_on_the_seeds_behind_it():
    """One size lost all but three seeds: the lower end compares 8 with 3 seeds, the upper 8 with 8."""
    reference = emerging(lambda _: 16, seeds=8)
    ragged = emerging(lambda _: 128, seeds=8, lost={(512, seed) for seed in range(3, 8)})
    finding = found(reference, ragged, 1 - 0.05 / 14, best_of_seeds=True)
    assert (-np.inf, pytest.approx(4.0)) == (finding.low, finding.high)
    assert "too few seeds for a lower end at" in finding.evidence


def test_luck_is_allowed_for_by_the_runs_of_the_size_with_the_fewest():
    def data(lost=()):
        return emerging(lambda seed: 16 * 2 ** (seed % 3), seeds=11, lost=lost)

    whole = found(data(), data(), best_of_seeds=True)
    ragged = data(lost={(256, seed) for seed in range(3, 11)})
    finding = found(data(), ragged, best_of_seeds=True)
    assert (11, 3) == (whole.seeds, finding.seeds)
    assert finding.low < whole.low


def test_the_best_of_fewer_than_three_seeds_is_not_compared():
    fewer = emerging(lambda _: 128, lost={(256, seed) for seed in range(3)})
    with pytest.raises(
        NotEnoughDataError,
        match="takes 3 finished runs at every model size that has any; one has 2",
    ):
        found(emerging(lambda _: 16), fewer, best_of_seeds=True)


def test_the_evidence_says_how_sure_so_few_seeds_can_be():
    data = emerging(lambda _: 16, seeds=3), emerging(lambda _: 128, seeds=3)
    assert (
        "all seeds of the reference come first in 1 of 20 orders, and likewise all seeds of the "
        "shifted experiment" in found(*data, best_of_seeds=True).evidence
    )


def test_a_missing_size_widens_the_bracket():
    lost = {(64, seed) for seed in range(5)}
    finding = found(emerging(lambda _: 16), emerging(lambda _: 128, lost=lost))
    # The step next to the bracket is then two doublings; Welch's degrees of freedom are 100/17.
    few = 2.458824 * 5**0.5 / 5
    assert pytest.approx((1.0 - few, 4.0 + few), abs=1e-5) == (finding.low, finding.high)


def test_a_hidden_size_in_the_middle_of_a_wide_bracket_is_named():
    """Hidden sizes are multiples of 8; the geometric mean of 8 and 64 is 22.6, of 64 and 72 there is none."""
    coarse = emerging(lambda _: 64, sizes=(8, 64, 72))
    finding = found(coarse, emerging(lambda _: 72, sizes=(8, 64, 72)))
    assert {"reference": 24} == finding.details["sizes_to_try"]
    assert "training size 24 in 'reference' would narrow the bracket" in finding.evidence


def test_no_size_is_named_for_a_bracket_with_an_open_end():
    finding = found(emerging(lambda _: 9999), emerging(lambda _: 16, sizes=(8, 16)))
    assert {} == finding.details["sizes_to_try"]


def test_no_order_of_the_dataset_matters():
    reference, shifted = emerging(lambda _: 16), emerging(lambda seed: 64 * (1 + seed % 2))
    expected = found(reference, shifted)
    assert expected == found(shuffled(reference, seed=1), shuffled(shifted, seed=2))
