"""Figures of the built-in detectors, and one for detectors that bring none."""
