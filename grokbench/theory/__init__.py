"""The map of the four zones in Huang et al. 2024, Fig. 1."""

from grokbench.theory.zones import zones

__all__ = ["zones"]
