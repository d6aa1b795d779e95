"""The contract is kept, and known speed-ups are found where there is one."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from grokbench import Finding, NotEnoughDataError, load_suite
from grokbench.record import Run
from grokbench.testing import Check, parametrize_with_checks
from grokbench.testing.simulator import Story, dataset

from grokbench_grokfast.speedup import GrokkingSpeedup


def world(generalizes_at: float, salt: int, never: int | None = None) -> xr.Dataset:
    """Runs that memorize at step 200 and generalize about then; one seed may never do so."""

    def tell(run: Run, noise: np.random.Generator) -> Story:
        at = generalizes_at * float(np.exp(0.1 * noise.standard_normal()))
        return Story(memorized=200, at=at, generalized=0.0 if run.seed == never else 1.0)

    return dataset(tell, sizes=(16, 64), data_sizes=(400,), seeds=6, salt=salt)


SLOW, FAST = world(1600, salt=1), world(800, salt=2)


@parametrize_with_checks([GrokkingSpeedup], worlds=[{"reference": SLOW, "faster": FAST}])
def test_the_contract_is_kept(check: Check) -> None:
    check()


def found(reference: xr.Dataset, faster: xr.Dataset) -> Finding:
    return GrokkingSpeedup().find({"reference": reference, "faster": faster})


def test_twice_as_fast_is_found() -> None:
    finding = found(SLOW, FAST)
    assert 1.5 < finding.low < 2 < finding.high < 2.5
    assert 6 == finding.seeds


def test_slower_is_found_too() -> None:
    assert found(FAST, SLOW).high < 1


def test_a_reference_that_never_generalizes_leaves_the_upper_end_open() -> None:
    finding = found(world(1600, salt=1, never=0), FAST)
    assert np.inf == finding.high
    assert 1 < finding.low
    assert [2, 0] == finding.details["never_generalized"]


def test_a_faster_experiment_that_never_generalizes_leaves_the_lower_end_open() -> None:
    assert 0 == found(SLOW, world(800, salt=2, never=0)).low


def test_only_cells_that_both_have_are_compared() -> None:
    assert found(SLOW.sel(model_size=[16]), FAST.sel(model_size=[16])) == found(
        SLOW.sel(model_size=[16]), FAST
    )
    with pytest.raises(NotEnoughDataError, match="no cell in common"):
        found(SLOW.sel(model_size=[16]), FAST.sel(model_size=[64]))


def test_a_dimension_of_its_own_is_named() -> None:
    with pytest.raises(NotEnoughDataError, match="only one of the experiments has momentum"):
        found(SLOW, FAST.expand_dims(momentum=[0.9, 0.98]))


def test_the_suite_has_no_mistakes() -> None:
    assert load_suite(Path(__file__).parents[1] / "suite.toml").runs()
