"""Where the capacity curve and the critical curve cross."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import BUILT_IN
from tests.phenomena.worlds import (
    NOT_RUN,
    Run,
    grokking,
    memorizing,
    memorizing_random_labels,
    shuffled,
    world,
)

Crossing = next(detector for detector in BUILT_IN if detector.name == "crossing")

SIZES = (4, 8, 16, 32, 64)
DATA_SIZES = tuple(range(150, 900, 50))
PAIRS = 961


def held(size: int, seed: int) -> float:
    """Of 961 labels; a power law, as real capacities nearly are."""
    return 25.0 * size * (1 + 0.04 * (seed - 2))


def memorization(labels=held, sizes=SIZES):
    return world(
        lambda size, _, seed: memorizing_random_labels(min(1.0, labels(size, seed) / PAIRS)),
        sizes=sizes,
        data_sizes=(PAIRS,),
    )


def enough(size: int, data_size: int, seed: int) -> Run:
    """The critical data size falls from 600 at size 8 by 80 a doubling; seeds differ by 20."""
    critical = 600 - 80 * np.log2(size / 8) + 20 * (seed - 2)
    return grokking() if data_size >= critical else memorizing()


def critical(runs=enough, sizes=SIZES, **axes):
    return world(runs, sizes=sizes, data_sizes=DATA_SIZES, **axes)


def found(memory, dataset, confidence=0.95, **options):
    detector = Crossing.from_options(options).at(confidence)
    return detector.find({"memorization": memory, "critical": dataset})


def test_it_lies_between_the_sizes_where_one_curve_overtakes_the_other():
    """Capacity 400 and 800 labels at sizes 16 and 32; enough from about 520 and 440 examples."""
    finding = found(memorization(), critical())
    sizes = world(enough, sizes=SIZES)["parameters"].to_numpy()
    assert sizes[2] < finding.details["parameters"] < sizes[3]
    assert 420 < finding.details["data_size"] < 540
    assert not finding.details["extrapolated"]
    assert finding.low < finding.effect < finding.high


def test_each_coordinate_is_told_as_its_logarithm():
    memory, dataset = memorization(), critical()
    for coordinate in ("parameters", "data_size"):
        finding = found(memory, dataset, coordinate=coordinate)
        assert finding.details[coordinate] == pytest.approx(2**finding.effect)
    over = found(memory, dataset, coordinate="data_size", relative_to=350)
    assert over.effect == pytest.approx(finding.effect - np.log2(350))
    assert over.low > 0


def test_a_larger_capacity_moves_it_to_smaller_models():
    dataset = critical()
    small, large = (
        found(memorization(lambda size, seed, k=k: k * held(size, seed)), dataset).effect
        for k in (1.0, 1.5)
    )
    assert large < small - 0.2


def test_intervals_are_nested_in_their_confidence():
    narrow, wide = (found(memorization(), critical(), level) for level in (0.9, 0.99))
    assert wide.low < narrow.low < narrow.effect < narrow.high < wide.high


def test_seeds_that_differ_more_make_the_interval_wider():
    def scattered(size: int, data_size: int, seed: int) -> Run:
        return enough(size, data_size + 60 * (seed - 2), seed)

    def width(finding):
        return finding.high - finding.low

    memory = memorization()
    assert width(found(memory, critical(scattered))) > width(found(memory, critical()))


def test_curves_that_do_not_cross_say_on_which_side_to_look():
    with pytest.raises(
        NotEnoughDataError, match=r"capacity is below the critical data size.*beyond"
    ):
        found(memorization(lambda *_: 40.0), critical())


def test_a_crossing_beyond_the_sizes_tried_says_so():
    sizes = (4, 8, 16)
    dataset = critical(sizes=sizes)
    finding = found(memorization(lambda size, seed: 0.7 * held(size, seed), sizes), dataset)
    assert finding.details["extrapolated"]
    assert "outside" in finding.evidence


def test_no_order_of_the_datasets_matters():
    memory, dataset = memorization(), critical()
    mixed = found(shuffled(memory, seed=1), shuffled(dataset, seed=2))
    plain = found(memory, dataset)
    assert (plain.low, plain.high) == pytest.approx((mixed.low, mixed.high))


def test_a_seed_that_was_not_run_counts_as_little_as_one_that_is_not_there():
    memory = memorization()
    without = critical(seeds=(1, 2, 3, 4))
    unrun = critical(lambda size, d, seed: enough(size, d, seed) if seed else NOT_RUN)
    first, second = found(memory, without), found(memory, unrun)
    assert (first.low, first.high) == pytest.approx((second.low, second.high))


def test_one_size_of_random_labels_makes_no_curve():
    with pytest.raises(NotEnoughDataError, match="two model sizes"):
        found(memorization(sizes=(8,)), critical())


def test_one_seed_of_the_critical_experiment_is_too_few():
    with pytest.raises(NotEnoughDataError, match="critical curve of two seeds or more"):
        found(memorization(), critical(seeds=(0,)))


def coarse(runs):
    """Data sizes so far apart that each critical data size lies between the same two for all seeds."""
    return world(runs, sizes=SIZES, data_sizes=(300, 500, 800))


def test_where_seeds_agree_the_interval_is_as_wide_as_the_data_sizes_are_apart():
    """At sizes 16 and 32 all seeds say 500 to 800; the curves cross between them, at 574 examples."""

    def runs(size: int, data_size: int, seed: int) -> Run:
        need = 640 * (size / 16) ** -0.3 * (1 + 0.05 * (seed - 1))
        return grokking() if data_size >= need else memorizing()

    finding = found(memorization(), coarse(runs), coordinate="data_size")
    assert finding.high - finding.low > 0.45 * np.log2(800 / 500)
    assert finding.low < np.log2(574) < finding.high


def test_nothing_bounds_the_crossing_where_one_critical_data_size_lies_within_the_grid():
    """All sizes but the largest need more than the grid has, so no slope was measured."""
    runs = coarse(
        lambda size, data_size, _: grokking() if (size, data_size) == (64, 800) else memorizing()
    )
    finding = found(memorization(), runs, coordinate="data_size")
    assert (-np.inf, np.inf) == (finding.low, finding.high)
    assert "nothing bounds the crossing" in finding.evidence
