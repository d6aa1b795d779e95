"""What one call of `run_suite` or `plan_suite` is asked to train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grokbench.claims import Verdict, missing_at_next_look, score
from grokbench.cores import usable_cores
from grokbench.errors import PluginError
from grokbench.plan import Cohort, Plan, make_plan
from grokbench.plugins import Plugins
from grokbench.record import Choice, Record, Run, Status
from grokbench.store import Store, assembled
from grokbench.suite import Suite, load_suite
from grokbench.suite.mistakes import ask
from grokbench.training.device import check_device, why_untrainable


@dataclass(frozen=True, eq=False)
class Assignment:
    """A suite, its results so far, and the cohorts that are to be trained."""

    suite: Suite
    store: Store
    plan: Plan
    cohorts: tuple[Cohort, ...]
    """The cohorts that the caller asked for and that are missing. In a sequential suite: those of the
    next look."""
    verdicts: tuple[Verdict, ...]
    """In a sequential suite, the verdicts on the results so far; otherwise empty."""
    untrainable: Mapping[str, str]
    """The cohorts' precisions in which the device cannot compute, each with the reason."""
    lacking: Mapping[Choice, str]
    """The cohorts' tasks whose data are missing on this machine, each with what to do."""

    def can_train(self, run: Run) -> bool:
        """Whether this machine has the run's data and can compute in its precision."""
        return run.recipe.precision not in self.untrainable and run.task not in self.lacking


def assign(
    suite: Suite | str | Path,
    out: str | Path | None,
    files: Sequence[Path],
    *,
    only: Sequence[str],
    seeds: int | None,
    device: str,
    shard: tuple[int, int] | None,
    retry_failed: bool,
) -> Assignment:
    """Read the suite and its results, and find what is missing. Nothing is written.

    Args:
        suite, out, files, only, seeds, device, shard, retry_failed: as for `run_suite`.

    Raises:
        SuiteError: a mistake in the suite.
        PluginError: the suite was read without its plugins (`carried_suite`).
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there.
        ResultsError: the results folder holds something that grokbench did not write.
    """
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    if suite.plugins.absent():
        raise PluginError(
            f"suite {suite.name}: not loaded: {', '.join(suite.plugins.absent())}; training needs the code "
            f"of all definitions, so load the suite's file with load_suite, or give the plugins' files"
        )
    check_device(device)
    store = Store(Path(out) if out is not None else Path("results") / suite.name, suite.name)
    records = store.records()
    plan = make_plan(suite, suite.plugins, records, device=device, retry_failed=retry_failed)
    wanted = partial(plan.wanted, suite, only=only, seeds=seeds, shard=shard)
    if suite.sequential is None:
        verdicts: tuple[Verdict, ...] = ()
        cohorts = wanted()
    else:
        if retry_failed:
            # The claims wait for these runs again.
            records = {
                name: one for name, one in records.items() if one.status is not Status.FAILED
            }
        verdicts, cohorts = _of_next_look(suite, records, wanted)
    runs = [run for cohort in cohorts for run in cohort.runs]
    untrainable = why_untrainable({run.recipe.precision for run in runs}, device)
    lacking = missing_data(runs, suite.plugins)
    return Assignment(suite, store, plan, cohorts, verdicts, untrainable, lacking)


def missing_data(runs: Iterable[Run], plugins: Plugins) -> dict[Choice, str]:
    """The tasks of `runs` whose data are missing on this machine, each with what to do."""
    asked = {
        choice: ask(choice.name, plugins.tasks[choice.name].from_options(choice.options).missing)
        for choice in {run.task for run in runs}
    }
    return {choice: answer for choice, answer in asked.items() if answer}


def _of_next_look(
    suite: Suite, records: Mapping[str, Record], wanted: Callable[..., tuple[Cohort, ...]]
) -> tuple[tuple[Verdict, ...], tuple[Cohort, ...]]:
    """The verdicts so far, and the cohorts of the next look that the caller asked for.

    The next look is the first that an open claim waits for.

    A claim whose runs the caller did not ask for does not keep the others from their next look.
    """
    tree = assembled(suite, records, {})
    verdicts = score(suite, tree, suite.plugins.detectors)
    for needed in missing_at_next_look(suite, tree, verdicts).values():
        cohorts = wanted(needed=needed)
        if cohorts:
            return verdicts, cohorts
    return verdicts, ()


def worker_count(jobs: int | None, device: str, cohorts: int) -> int:
    """The number of worker processes: `jobs`, or one for each usable core on a CPU and one on a GPU.

    There are never more worker processes than cohorts.
    """
    return max(1, min(jobs or (usable_cores() if device == "cpu" else 1), cohorts))


def check_numbers(
    jobs: int | None, seeds: int | None, shard: tuple[int, int] | None, budget: float | None = None
) -> None:
    """Check the numbers that a caller gave.

    Raises:
        ValueError: one of them is out of its range.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is the number of worker processes: 1 or more, not {jobs}")
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds is a number of seeds: 1 or more, not {seeds}")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise ValueError(f"shard is (i, n) with i from 1 to n, not {shard}")
    if budget is not None and not budget >= 0:
        raise ValueError(f"budget is a number of seconds: 0 or more, not {budget}")
