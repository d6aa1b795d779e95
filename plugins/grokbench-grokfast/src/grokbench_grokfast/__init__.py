"""Grokfast for grokbench, and a detector of how much sooner models generalize with it."""
