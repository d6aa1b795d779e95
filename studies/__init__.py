"""Studies of the instrument itself: calibration, recipes, distributions, comparisons."""
