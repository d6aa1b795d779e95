"""Training: a cohort in, its records out."""

from grokbench.training.definitions import Definitions
from grokbench.training.loop import train
from grokbench.training.workers import Events, train_cohorts

__all__ = ["Definitions", "Events", "train", "train_cohorts"]
