"""How one process trains one cohort after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from grokbench.amounts import count
from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.switches import SWITCHES, Switch
from grokbench.training.checkpoints import Checkpoints, Safekeeping
from grokbench.training.events import Events
from grokbench.training.loop import train


@dataclass(frozen=True)
class Trainer:
    """Trains cohorts in this process.

    Attributes:
        events: what happens to a cohort is told here.
        checkpoints: where cohorts are kept while they train; None to keep nothing.
        should_stop: says whether a cohort in training should keep a checkpoint and stop.
        deadline: the moment of `time.monotonic` at which `should_stop` will say so.
        switches: the global state that is put back after each cohort.
    """

    plugins: Plugins
    device: str
    events: Events
    checkpoints: Checkpoints | None
    should_stop: Callable[[], bool]
    deadline: float = math.inf
    switches: Mapping[str, Switch] = field(default_factory=lambda: SWITCHES)

    def train(self, cohort: Cohort) -> None:
        """Train a cohort to its end, or until `should_stop` says so."""
        self.events.started(cohort)
        on_evaluation = partial(self.events.advanced, cohort)
        safekeeping = Safekeeping(cohort.id, self.checkpoints, self.should_stop, self.deadline)
        lacking: dict[Run, str] = {}
        records = train(
            cohort.runs,
            self.plugins,
            self.device,
            on_evaluation,
            safekeeping,
            lacking.__setitem__,
            self.switches,
        )
        if lacking:
            self.events.lost(cohort, in_words(lacking))
        self.events.finished(cohort, records)


def in_words(lacking: Mapping[Run, str]) -> str:
    """What to say of runs for which memory is too small."""
    run, message = next(iter(lacking.items()))
    return (
        f"{count(len(lacking), 'run')} left untrained, because memory is too small even for one run "
        f"alone (data {run.data_size}, seed {run.seed}: {message}); train with fewer --jobs, or where "
        f"there is more memory"
    )
