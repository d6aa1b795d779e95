"""Measures: quantities of a model that are recorded while it trains, beside loss and accuracy."""

from __future__ import annotations

from grokbench.measures.base import Measure, Snapshot

__all__ = ["Measure", "Snapshot"]
