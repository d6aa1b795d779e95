"""The one way through the house: a suite in, trained, stored and scored."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from grokbench.claims import Verdict, score, verdicts_document
from grokbench.errors import DeviceError
from grokbench.forecast import worker_count
from grokbench.plan import Cohort, Plan, make_plan
from grokbench.record import Record, Status
from grokbench.store import Store, collect_provenance, records_in, write_text
from grokbench.suite import Suite, load_suite
from grokbench.training import Events, train_cohorts
from grokbench.training.checkpoints import CHECKPOINT_SECONDS, Checkpoints
from grokbench.training.device import check_device, why_untrainable


class Watcher(Events):
    """Told what happens during `run_suite`; every method does nothing here."""

    def planned(self, plan: Plan, wanted: Sequence[Cohort]) -> None:
        """Before training: the plan, and the cohorts of this sitting."""


@dataclass(frozen=True)
class Sitting:
    """What one call of `run_suite` did, and how things stand now."""

    folder: Path
    tree: xr.DataTree
    verdicts: tuple[Verdict, ...]
    trained: int
    """Runs trained in this sitting."""
    remaining: int
    """Runs of the suite that are still missing."""
    failed: int
    """Runs of the suite whose task, architecture or optimizer raised an error."""
    interrupted: bool
    lost: tuple[str, ...]
    """What became of workers that died; their runs are among the remaining."""
    damaged: tuple[Path, ...]
    """Record files that were damaged and set aside; their runs were missing again."""


def run_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    seeds: int | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    budget: float | None = None,
    shard: tuple[int, int] | None = None,
    retry_failed: bool = False,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    watcher: Watcher | None = None,
    files: Sequence[Path] = (),
) -> Sitting:
    """Train what is missing of a suite, store it, and score the claims.

    The same call again continues where the last one stopped; a run that has ended is never trained
    twice. Each cohort is stored as it finishes, and keeps checkpoints while it trains, so that
    whatever happens little is lost; what is cut goes on to the same bits.

    Args:
        suite: a suite, or the path of its file.
        out: the results folder; `results/<name>` by default.
        only: experiments to train (all of them by default).
        seeds: train the first so many seeds of each experiment.
        device: "cpu", "cuda", …
        jobs: worker processes; as many as there are cores on a CPU, one on a GPU. With more than
            one, a script must call this under `if __name__ == "__main__":`, because each worker
            imports the script.
        budget: seconds in which all is trained that can be, and stored; what is not finished by
            then keeps a checkpoint.
        shard: (i, n), the i-th of n shares of the suite's cohorts, counted from 1.
        retry_failed: train runs again that raised an error.
        checkpoint_every: seconds between two checkpoints of a cohort.
        watcher: told of progress.
        files: single-file plugins beside the suite's own.

    Raises:
        SuiteError: a mistake in the suite; nothing has been written.
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there, or cannot compute in a precision that is to be trained;
            nothing has been written.
        ResultsError: the results folder holds something that grokbench did not write, or cannot be
            written to.
    """
    begun = time.monotonic()
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    watcher = watcher or Watcher()
    check_device(device)
    plugins = suite.plugins
    folder = Path(out) if out is not None else Path("results") / suite.name
    store = Store(folder, suite.name)
    plan = make_plan(suite, plugins, store.records(), device=device, retry_failed=retry_failed)
    wanted = plan.wanted(suite, only=only, seeds=seeds, shard=shard)
    check_precisions(suite, wanted, device)
    if wanted:
        store.check_writable()
    watcher.planned(plan, wanted)

    checkpoints = Checkpoints(folder / "checkpoints", checkpoint_every)
    desk = Desk(store, checkpoints, watcher)
    try:
        train_cohorts(
            wanted,
            plugins,
            desk,
            jobs=worker_count(jobs, device, len(wanted)),
            device=device,
            checkpoints=checkpoints,
            **({} if budget is None else within(budget, begun)),
        )
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True

    checkpoints.tidy()

    records = store.records()
    # Record files without a dataset: whoever trained them was killed before telling how.
    untold = bool(records) and not store.path.exists()
    seconds = time.monotonic() - begun if desk.trained or untold else None
    versions = {origin.name: origin.version for origin in plugins.origins()}
    provenance = collect_provenance(suite, folder, device=device, plugins=versions, seconds=seconds)
    tree = store.assemble(suite, provenance)
    verdicts = score(suite, tree, plugins.detectors)
    document = json.dumps(verdicts_document(suite, verdicts, tree), indent=2, ensure_ascii=False)
    path = folder / "verdicts.json"
    if not path.exists() or path.read_text(encoding="utf-8") != document + "\n":
        write_text(path, document + "\n")
    remaining = len(suite.runs().keys() - records.keys())
    if not remaining and desk.trained == sum(len(cohort.runs) for cohort in wanted):
        checkpoints.clear()
    return Sitting(
        folder,
        tree,
        verdicts,
        trained=desk.trained,
        remaining=remaining,
        failed=sum(1 for record in records_in(tree).values() if record.status is Status.FAILED),
        interrupted=interrupted,
        lost=tuple(desk.losses),
        damaged=tuple(store.damaged),
    )


def check_precisions(suite: Suite, wanted: Sequence[Cohort], device: str) -> None:
    """See that the device can compute as the runs that are to be trained ask for.

    Raises:
        DeviceError: it cannot, which experiments ask for it, and which do not.
    """
    why = why_untrainable({run.recipe.precision for one in wanted for run in one.runs}, device)
    if not why:
        return
    missing = {run.id for cohort in wanted for run in cohort.runs}
    asking = {
        name
        for name, experiment in suite.experiments.items()
        for _, run in experiment.grid()
        if run.id in missing and run.recipe.precision in why
    }
    others = " ".join(f"--only {name}" for name in suite.experiments if name not in asking)
    reasons = "; ".join(
        f"precision {precision!r} cannot be had: {why[precision]}" for precision in why
    )
    hint = f"; without {', '.join(sorted(asking))}: {others}" if others else ""
    raise DeviceError(f"{reasons}{hint}")


class Desk(Events):
    """Stores what comes in, then passes the news on."""

    def __init__(self, store: Store, checkpoints: Checkpoints, watcher: Watcher) -> None:
        self.store, self.checkpoints, self.watcher = store, checkpoints, watcher
        self.trained = 0
        self.losses: list[str] = []

    def started(self, cohort: Cohort) -> None:
        self.watcher.started(cohort)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.watcher.advanced(cohort, step, validation_accuracy)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        if records:
            self.store.save(cohort.id, records)
        if len(records) == len(cohort.runs):
            self.checkpoints.forget(cohort.id)
        self.trained += len(records)
        self.watcher.finished(cohort, records)

    def lost(self, cohort: Cohort, message: str) -> None:
        self.losses.append(f"{cohort.label}: {message}")
        self.watcher.lost(cohort, message)


def within(budget: float, begun: float) -> dict[str, Any]:
    """When to stop training, and how long to wait for the last checkpoints, to end in time.

    A part of the budget is kept for them, and as much for the dataset and the verdicts.
    """
    kept = min(budget / 8, 4.0 + budget / 100)
    return {"deadline": begun + budget - 2 * kept, "grace": kept}
