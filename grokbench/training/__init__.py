"""Training: a cohort in, its records out."""

from grokbench.training.loop import train
from grokbench.training.setup import Setup
from grokbench.training.workers import Events, train_cohorts

__all__ = ["Events", "Setup", "train", "train_cohorts"]
