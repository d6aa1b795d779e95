"""What the curves of runs say. For plugin authors and notebooks.

Every function takes an experiment's dataset, as `grokbench.store` assembles it, and leaves it
unchanged. Runs that have not finished read NaN.

| question | function |
| --- | --- |
| What is the final value of a curve? | `settled` |
| Which accuracy does guessing give? | `chance_level` |
| Which validation accuracy measures generalization? | `generalization_accuracy` |
| At which step does a curve cross a level? | `sustained_crossing` |
| What value has a curve at a step? | `value_at` |
| Does a value reach a level, apart from rounding? | `reaches` |
| Did training collapse at the end? | `collapsed` |
| Which dynamic did each run show: grokking, progression, …? | `classify` |
| Between which data sizes lies each seed's critical data size? | `critical_data_size_brackets` |
| What is the critical data size of each model size? | `critical_data_sizes` |
| Between which model sizes does an ability emerge? | `emergence_brackets` |
| How many random labels does each run know? | `memorization` |
| What is the memorization capacity of each model size? | `capacities` |

To prepare a dataset: `canonical` sorts it, `of_part` takes one part of the task, `single_curve`
drops the dimensions that have one value, `finished` tells which runs count, `without_empty_seeds`
drops the seeds without one. `log2_parameters` gives the sizes of models on the scale on which they
are compared.
"""

from grokbench.readout.capacity import capacities, memorization
from grokbench.readout.chance import chance_level
from grokbench.readout.critical_data_size import critical_data_size_brackets, critical_data_sizes
from grokbench.readout.curves import (
    collapsed,
    generalization_accuracy,
    reaches,
    settled,
    sustained_crossing,
    value_at,
)
from grokbench.readout.dynamics import Dynamic, Thresholds, classify
from grokbench.readout.emergence import EmergenceBrackets, emergence_brackets
from grokbench.readout.grid import (
    canonical,
    finished,
    log2_parameters,
    of_part,
    single_curve,
    without_empty_seeds,
)

__all__ = [
    "Dynamic",
    "EmergenceBrackets",
    "Thresholds",
    "canonical",
    "capacities",
    "chance_level",
    "classify",
    "collapsed",
    "critical_data_size_brackets",
    "critical_data_sizes",
    "emergence_brackets",
    "finished",
    "generalization_accuracy",
    "log2_parameters",
    "memorization",
    "of_part",
    "reaches",
    "settled",
    "single_curve",
    "sustained_crossing",
    "value_at",
    "without_empty_seeds",
]
