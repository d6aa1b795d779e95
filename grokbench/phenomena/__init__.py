"""Detectors: a dataset in, a finding out."""

from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.critical_data_size import CriticalDataSize, critical_data_sizes
from grokbench.phenomena.crossing import Crossing
from grokbench.phenomena.deeper_double_descent import DeeperDoubleDescent
from grokbench.phenomena.double_descent import DoubleDescent
from grokbench.phenomena.dynamics import Dynamic, Dynamics, Thresholds, classify
from grokbench.phenomena.emergence import Emergence
from grokbench.phenomena.memorization_capacity import MemorizationCapacity, capacities
from grokbench.phenomena.norm_change import NormChange
from grokbench.phenomena.zone_prediction import ZonePrediction
from grokbench.phenomena.zones import zones

BUILT_IN: tuple[type[Detector], ...] = (
    Dynamics,
    MemorizationCapacity,
    CriticalDataSize,
    DoubleDescent,
    DeeperDoubleDescent,
    NormChange,
    Emergence,
    ZonePrediction,
    Crossing,
)

__all__ = [
    "BUILT_IN",
    "Detector",
    "Dynamic",
    "Finding",
    "Thresholds",
    "capacities",
    "classify",
    "critical_data_sizes",
    "zones",
]
