"""Finds the records of an experiment that do not fit into one dataset with the others.

In one experiment, a task has the same parts for all runs, a measure has the same quantities, and an
architecture has the same number of parameters for all runs of a model size. A definition that was changed without a new version breaks
this rule. Its records must not make the other records unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from grokbench.record import ModelSize, Record, Run, failed

if TYPE_CHECKING:
    from grokbench.suite.model import Experiment


def agreeing(experiment: Experiment, records: Mapping[str, Record]) -> dict[str, Record]:
    """The records of the experiment's runs, in the order of the grid.

    The measures decide the quantities. The first record with evaluations decides the parts, and the
    first of each model size decides the number of parameters. A record that differs is replaced by a failed record that says why.
    """
    found: dict[str, Record] = {}
    parts: tuple[str, ...] | None = None
    parameters: dict[ModelSize, int] = {}
    for _, run in experiment.grid():
        record = records.get(run.id)
        if record is None:
            continue
        if record.steps.size:
            parts = parts or record.parts
            quantities = recorded(record, experiment)
            if quantities != set(experiment.quantities):
                wanted = sorted(experiment.quantities)
                record = _disagreeing(
                    run, f"the quantities {sorted(quantities)}, the measures now have {wanted}"
                )
            elif record.parts != parts:
                record = _disagreeing(
                    run, f"the parts {list(record.parts)}, others have {list(parts)}"
                )
            elif record.parameters != parameters.setdefault(run.size, record.parameters):
                others = f"others of model size {run.size.label} have {parameters[run.size]}"
                record = _disagreeing(run, f"{record.parameters} parameters, {others}")
        found[run.id] = record
    return found


def recorded(record: Record, experiment: Experiment) -> set[str]:
    """The quantities of a record. In a file of several experiments, those of the others are all NaN."""
    return {
        name
        for name, curve in record.measured.items()
        if name in experiment.quantities or not np.isnan(curve).all()
    }


def _disagreeing(run: Run, difference: str) -> Record:
    return failed(
        run,
        f"the run has {difference}, so its curves are only in records/, not in the dataset. In one "
        f"experiment, a task must have the same parts for all runs, a measure the same quantities, and "
        f"an architecture the same number of parameters for all runs of a model size. Raise the version of the definition "
        f"that was changed, and run the suite again",
    )
