"""How consistently the critical data size falls as models grow."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena import CriticalDataSize
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, shuffled, world

DATA_SIZES = (350, 450, 550, 650)


def needing(critical, **grid):
    """Models that generalize from `critical(size, seed)` examples on."""

    def run(size: int, data_size: int, seed: int) -> Run:
        return ending_at(1.0 if data_size >= critical(size, seed) else 0.2)

    return world(run, data_sizes=DATA_SIZES, **grid)


def found(dataset, **options):
    return CriticalDataSize.from_options(options).find({"experiment": dataset})


def test_a_critical_size_that_falls_everywhere_has_effect_one():
    finding = found(needing(lambda size, _: {8: 9999, 16: 600, 32: 500, 64: 400}[size]))
    assert (1.0, 5) == (finding.effect, finding.seeds)
    assert pytest.approx(np.log2(650 / 450)) == finding.details["doublings_at_least"]
    assert np.inf == finding.details["doublings_at_most"]
    assert "above 650 at size 8 and between 350 and 450 at size 64" in finding.evidence


def test_a_critical_size_that_rises_has_a_negative_effect():
    assert -1.0 == found(needing(lambda size, _: {8: 0, 16: 400, 32: 500, 64: 600}[size])).effect


def test_a_grid_too_coarse_to_tell_sizes_apart_shows_no_fall():
    finding = found(needing(lambda size, _: 500 - size / 10))
    assert 0.0 == finding.effect
    assert pytest.approx(0.0926, abs=1e-4) == finding.high == -finding.low


@pytest.mark.parametrize(("seeds", "shown"), [(3, False), (5, True), (11, True)])
def test_seeds_that_agree_on_two_sizes_show_a_fall_only_where_there_are_enough(seeds, shown):
    """The interval is as wide as if one seed differed by one pair; two sizes make one pair."""
    finding = found(
        needing(lambda size, _: {8: 600, 64: 400}[size], sizes=(8, 64), seeds=range(seeds))
    )
    assert 1.0 == finding.effect
    assert shown == (finding.low > 0.2)
    assert finding.low < 1 < finding.high


def test_sizes_that_all_lie_beyond_the_grid_say_nothing_of_a_fall():
    """Censored values are not known to be equal, so neither a fall nor its absence is shown."""
    for critical in (9999, 1):
        with pytest.raises(NotEnoughDataError, match="within the grid"):
            found(needing(lambda *_, critical=critical: critical))


def test_one_model_size_says_nothing_of_a_fall():
    with pytest.raises(NotEnoughDataError, match="two model sizes"):
        found(needing(lambda *_: 500, sizes=(32,)))


def test_no_order_of_the_dataset_matters():
    dataset = needing(lambda size, seed: 700 - 5 * size - 40 * (seed % 3))
    assert found(dataset) == found(shuffled(dataset, seed=5))


SLOPE = {"effect": "slope"}


def generalizing(share, **grid):
    """Runs that generalize with the probability `share(size, data_size)`, each by itself."""

    def run(size: int, data_size: int, seed: int) -> Run:
        luck = np.random.default_rng([size, data_size, seed]).random()
        return ending_at(1.0 if luck < share(size, data_size) else 0.2)

    return world(run, data_sizes=DATA_SIZES, **grid)


def test_the_slope_is_the_fall_in_doublings_for_each_doubling_of_parameters():
    """Critical data sizes fall from 640 to 380 over three doublings, and runs vary about them."""

    def share(size, data_size):
        line = np.log2(640) - 0.25 * np.log2(size / 8)
        return 1 / (1 + np.exp((line - np.log2(data_size)) / 0.08))

    finding = found(generalizing(share, seeds=range(40)), **SLOPE)
    assert pytest.approx(0.25, abs=0.03) == finding.effect
    assert 0.15 < finding.low < finding.effect < finding.high < 0.35
    assert 40 == finding.seeds
    assert finding.details["p_falls"] < 1e-4 < finding.details["p_rises"]


def test_the_evidence_counts_the_runs_of_the_smallest_and_the_largest_size():
    finding = found(needing(lambda size, _: {8: 600, 16: 500, 32: 500, 64: 400}[size]), **SLOPE)
    assert "5 of 20 runs generalize at size 8, 15 of 20 at size 64" == finding.evidence
    assert [5, 10, 10, 15] == finding.details["generalized"]


def test_where_all_sizes_agree_the_slope_is_known_as_exactly_as_the_grid_is_fine():
    finding = found(needing(lambda *_: 500), **SLOPE)
    most = np.log2(550 / 450) / np.log2(64 / 8)
    assert finding.low < -0.9 * most < 0 < 0.9 * most < finding.high
    assert finding.high < 6 * most


def test_no_slope_has_a_sign_where_the_trend_test_finds_no_trend():
    """At a high confidence, one permutation in 252 is as extreme; the likelihood alone says more."""
    dataset = needing(lambda size, seed: {8: 600, 64: 500}[size], sizes=(8, 64), seeds=range(5))
    detector = CriticalDataSize.from_options(SLOPE)
    at_98, at_999 = (detector.at(one).find({"experiment": dataset}) for one in (0.98, 0.999))
    assert pytest.approx(1 / 252, rel=0.2) == at_98.details["p_falls"]
    assert at_999.low <= 0


def test_when_nothing_generalizes_no_number_of_seeds_will_do():
    with pytest.raises(
        OutOfReachError, match=r"none of the 80 runs generalizes.*up to 650 examples"
    ):
        found(needing(lambda *_: 9999), **SLOPE)
    unfinished = world(
        lambda size, data_size, _: NOT_RUN if (size, data_size) == (64, 650) else ending_at(0.2),
        data_sizes=DATA_SIZES,
    )
    with pytest.raises(NotEnoughDataError, match="some cells have no finished run") as raised:
        found(unfinished, **SLOPE)
    assert not isinstance(raised.value, OutOfReachError)


def test_when_everything_generalizes_there_is_no_slope():
    with pytest.raises(NotEnoughDataError, match="train with less data") as raised:
        found(needing(lambda *_: 1), **SLOPE)
    assert not isinstance(raised.value, OutOfReachError)


def test_a_slope_needs_two_model_sizes_and_two_data_sizes():
    with pytest.raises(NotEnoughDataError, match="two sizes"):
        found(needing(lambda _, seed: 400 + 100 * (seed % 2), sizes=(32,)), **SLOPE)
    detector = CriticalDataSize.from_options(SLOPE)
    one = {"experiment": {"model_size": 4, "data_size": 1, "seed": 5}}
    assert "there is one data_size only" in detector.warning(one)
    assert detector.warning({"experiment": {"model_size": 4, "data_size": 3}}) is None
    assert CriticalDataSize().warning(one) is None


def test_no_order_of_the_dataset_matters_to_the_slope():
    dataset = needing(lambda size, seed: 700 - 5 * size - 40 * (seed % 3))
    assert found(dataset, **SLOPE) == found(shuffled(dataset, seed=5), **SLOPE)
