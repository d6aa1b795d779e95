"""Training: a cohort in, its records out."""

from grokbench.training.events import Events
from grokbench.training.loop import train
from grokbench.training.setup import Setup
from grokbench.training.workers import train_cohorts

__all__ = ["Events", "Setup", "train", "train_cohorts"]
