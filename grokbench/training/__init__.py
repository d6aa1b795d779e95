"""Training: a cohort in, its records out."""

from grokbench.training.events import Events
from grokbench.training.loop import train
from grokbench.training.setup import Setup
from grokbench.training.workers import Crew, train_cohorts

__all__ = ["Crew", "Events", "Setup", "train", "train_cohorts"]
