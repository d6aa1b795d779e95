"""How long runs take to generalize after they have memorized: the detectors of the delay."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OptionsError, OutOfReachError
from grokbench.phenomena.delay_law import DelayLaw
from grokbench.phenomena.delay_ratio import DelayRatio
from grokbench.phenomena.grokking_delay import GrokkingDelay
from grokbench.record import Status
from grokbench.testing.simulator import FLAWLESS, Delayed, Grid, simulate
from grokbench.testing.simulator.changes import without_runs
from tests.phenomena.worlds import NOT_RUN, Run, grokking, memorizing, ramp, world

CELL = Grid((64,), (3000,), 12, steps=20_000, evaluate_every=50)
DECAYS = replace(CELL, swept=(("weight_decay", (0.3, 1.0, 3.0)),))


def delay(dataset, **options):
    return GrokkingDelay.from_options(options).find({"experiment": dataset})


def law(dataset, **options):
    return DelayLaw.from_options(options).find({"experiment": dataset})


def cell(runs, seeds=6):
    return world(lambda *_: runs(_[2]), sizes=(32,), seeds=tuple(range(seeds)))


def test_the_delay_is_found_in_decades():
    finding = delay(simulate(Delayed(30.0), CELL, 1, FLAWLESS))
    assert finding.low < math.log10(30) < finding.high
    assert pytest.approx(math.log10(30), abs=0.1) == finding.effect
    assert 12 == finding.seeds
    assert finding.evidence.startswith("12 of 12 runs do both within their steps")


def test_runs_that_were_stopped_count():
    """The median run takes 80 times the steps, and a third is stopped at 20 000 before it generalizes."""
    dataset = simulate(Delayed(60.0, spread=0.15), CELL, 3, FLAWLESS)
    finding = delay(dataset)
    assert 2 <= finding.details["censored"] <= 7
    assert finding.low < math.log10(60) < finding.high
    stopped = dataset["mirror_free_accuracy"].isel(step=-1) < 0.9
    finished = without_runs({"experiment": dataset}, lambda _: stopped, Status.NOT_RUN)
    assert delay(finished["experiment"]).effect < finding.effect - 0.02


def test_where_no_run_generalizes_the_delay_has_a_lower_end_only():
    finding = delay(cell(lambda seed: memorizing(), seeds=6))
    assert math.inf == finding.high
    # Memorized by step 500, and at step 5800 three evaluations were left.
    assert pytest.approx(math.log10(5800 / 500)) == finding.low == finding.effect
    assert "6 memorize and do not generalize" in finding.evidence
    assert "more than 11.6 times" in finding.evidence


def test_runs_that_generalize_first_have_a_negative_delay():
    early = Run(train=ramp(100, 4000, 0.0, 1.0), mirror_free=ramp(100, 400, 0.0, 1.0))
    finding = delay(cell(lambda seed: early))
    assert pytest.approx(math.log10(400 / 4000), abs=0.1) == finding.effect
    never = replace(early, train=ramp(100, 4000, 0.0, 0.9))
    bound = delay(cell(lambda seed: never))
    assert -math.inf == bound.low
    assert bound.high < -1
    assert "less than" in bound.evidence


def test_with_ten_classes_the_delay_is_read_above_chance():
    late = Run(train=ramp(100, 500, 0.1, 1.0), mirror_free=ramp(1000, 3000, 0.1, 0.905))
    assert math.isfinite(delay(cell(lambda seed: late)).high)
    assert math.inf == delay(cell(lambda seed: late), above_chance=True).high


def test_runs_that_do_neither_are_out_of_reach_unless_some_were_not_run():
    nothing = Run(train=ramp(100, 500, 0.0, 0.5))
    with pytest.raises(OutOfReachError, match="no run memorizes or generalizes"):
        delay(cell(lambda seed: nothing))
    with pytest.raises(NotEnoughDataError, match="no run memorizes or generalizes") as raised:
        delay(cell(lambda seed: NOT_RUN if seed == 0 else nothing))
    assert not isinstance(raised.value, OutOfReachError)
    with pytest.raises(NotEnoughDataError, match="no finished run"):
        delay(cell(lambda seed: NOT_RUN))


def test_a_delay_is_that_of_one_cell():
    with pytest.raises(NotEnoughDataError, match="model_size has 4 values"):
        delay(world(lambda *_: grokking()))


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.5])
def test_a_power_law_of_the_weight_decay_is_found(slope):
    dataset = simulate(Delayed(20.0, slope, "weight_decay"), DECAYS, 1, FLAWLESS)
    finding = law(dataset)
    assert finding.low < slope < finding.high
    assert pytest.approx(slope, abs=0.15) == finding.effect
    flat = law(dataset, time="memorization")
    assert flat.low < 0 < flat.high
    later = law(dataset, time="generalization")
    assert pytest.approx(slope, abs=0.15) == later.effect


def test_a_law_keeps_the_runs_that_were_stopped():
    """At the smallest weight decay, the median run takes 133 times the steps, and most are stopped."""
    dataset = simulate(Delayed(40.0, -1.0, "weight_decay"), DECAYS, 2, FLAWLESS)
    finding = law(dataset)
    assert [12, 12, 12] == finding.details["informative"]
    assert "memorize and do not generalize" in finding.evidence
    assert finding.low < -1 < finding.high


def test_a_law_over_data_size_and_model_size():
    grid = replace(CELL, data_sizes=(1000, 3000, 9000))
    finding = law(simulate(Delayed(10.0), grid, 1, FLAWLESS), axis="data_size")
    assert finding.low < 0 < finding.high
    grid = replace(CELL, model_sizes=(32, 64))
    finding = law(simulate(Delayed(10.0), grid, 1, FLAWLESS), axis="model_size")
    assert np.log10(grid.parameters).tolist() == finding.details["log10_axis"]


def test_an_axis_that_is_not_there_or_has_no_logarithm_is_told():
    dataset = simulate(Delayed(10.0), CELL, 1, FLAWLESS)
    with pytest.raises(NotEnoughDataError, match="no axis 'weight_decay'; it has model_size, data"):
        law(dataset)
    zero = replace(CELL, swept=(("weight_decay", (0.0, 1.0)),))
    with pytest.raises(NotEnoughDataError, match=r"without a logarithm: 0\.0; select values above"):
        law(simulate(Delayed(10.0), zero, 1, FLAWLESS))
    with pytest.raises(OptionsError, match="'seed' is no axis that is compared"):
        DelayLaw.from_options({"axis": "seed"})
    named = dataset.expand_dims(optimizer=["adamw", "sgd"])
    with pytest.raises(NotEnoughDataError, match="no numbers: adamw, sgd"):
        law(named.transpose("optimizer", ...), axis="optimizer")


def test_validate_warns_of_an_axis_with_one_value():
    lengths = {"experiment": {"weight_decay": 1}}
    assert "two values of weight_decay or more" in str(DelayLaw().warning(lengths))
    assert DelayLaw().warning({"experiment": {"weight_decay": 2}}) is None


def ratio(reference, shifted, **options):
    return DelayRatio.from_options(options).find({"reference": reference, "shifted": shifted})


def test_a_ratio_of_delays_is_found():
    slow, fast = (
        simulate(Delayed(factor), CELL, seed, FLAWLESS) for seed, factor in ((1, 30), (2, 3))
    )
    finding = ratio(slow, fast)
    assert finding.low < -1 < finding.high < -0.8
    again = ratio(fast, slow)
    assert pytest.approx((-finding.effect, -finding.low)) == (again.effect, again.high)
    same = ratio(slow, fast, time="memorization")
    assert same.low < 0 < same.high


def test_a_ratio_against_runs_that_never_generalize_has_one_end():
    slow = cell(lambda seed: memorizing(), seeds=8)
    fast = cell(lambda seed: grokking(generalized=1000 + 50 * seed), seeds=8)
    finding = ratio(slow, fast)
    assert -math.inf == finding.low
    assert finding.high < -0.5
    assert "8 memorize and do not generalize" in finding.evidence
    both = ratio(slow, slow)
    assert (-math.inf, math.inf) == (both.low, both.high)
