"""How consistently the critical data size falls as models grow."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import CriticalDataSize
from tests.phenomena.worlds import Run, ending_at, shuffled, world

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
