"""What the curves of a run say: final values, crossings, dynamics, critical data sizes, capacities."""

from grokbench.readout.capacity import capacities
from grokbench.readout.critical_data_size import critical_data_sizes
from grokbench.readout.curves import settled
from grokbench.readout.dynamics import Dynamic, Thresholds, classify

__all__ = [
    "Dynamic",
    "Thresholds",
    "capacities",
    "classify",
    "critical_data_sizes",
    "settled",
]
