"""Detectors, one file each: datasets in, a finding out.

`base` has the contract. A detector measures an effect with statistical methods
(`grokbench.statistics`) from readings of curves (`grokbench.readout`), and some compare them with
the theory (`grokbench.theory`).
"""

import sys

from grokbench import readout
from grokbench.phenomena.accuracy_gap import AccuracyGap
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.critical_data_size import CriticalDataSize
from grokbench.phenomena.crossing import Crossing
from grokbench.phenomena.deeper_double_descent import DeeperDoubleDescent
from grokbench.phenomena.delay_law import DelayLaw
from grokbench.phenomena.delay_ratio import DelayRatio
from grokbench.phenomena.double_descent import DoubleDescent
from grokbench.phenomena.dynamics import Dynamics
from grokbench.phenomena.emergence import Emergence
from grokbench.phenomena.grokking_delay import GrokkingDelay
from grokbench.phenomena.memorization_capacity import MemorizationCapacity
from grokbench.phenomena.norm_change import NormChange
from grokbench.phenomena.reduced_loss import ReducedLoss
from grokbench.phenomena.zone_prediction import ZonePrediction
from grokbench.phenomena.zone_probabilities import ZoneProbabilities
from grokbench.readout import Dynamic, Thresholds, capacities, classify, critical_data_sizes
from grokbench.statistics import intervals
from grokbench.theory import zones

BUILT_IN: tuple[type[Detector], ...] = (
    Dynamics,
    MemorizationCapacity,
    CriticalDataSize,
    DoubleDescent,
    DeeperDoubleDescent,
    NormChange,
    Emergence,
    AccuracyGap,
    ZonePrediction,
    ZoneProbabilities,
    Crossing,
    ReducedLoss,
    GrokkingDelay,
    DelayLaw,
    DelayRatio,
)

# Plugins written for version 0.1.0 import these names, and the modules `curves` and `intervals`,
# from here. New code imports grokbench.readout, grokbench.statistics and grokbench.theory instead.
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
# The attribute serves `from grokbench.phenomena import curves`, the entry `import ….curves`.
curves = readout
sys.modules["grokbench.phenomena.curves"] = readout
sys.modules["grokbench.phenomena.intervals"] = intervals
