"""The framework of Huang et al. 2024 (§ 3, Fig. 1): two curves divide the grid into four zones.

The capacity curve tells how many labels a model of each size memorizes. The critical curve tells
how many examples a model of each size needs to generalize. Which curves a cell of the grid (a model
size and a data size) lies above and below predicts the training dynamic of its runs.

| module | has |
| --- | --- |
| `capacity_curve` | the capacity curve, measured on random labels |
| `critical_curve` | the critical curve, measured on an experiment with several data sizes |
| `mirrors` | how many different labels a number of training pairs has |
| `crossing` | the point at which the two curves cross |
| `zones` | the zone that each cell of an experiment lies in |
| `predicted_shares` | the share of each cell's runs that shows each dynamic, predicted by the curves and by baselines |
| `baselines` | predictions without the curves, with which the zones are compared |
"""

from grokbench.theory.zones import zones

__all__ = ["zones"]
