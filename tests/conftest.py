"""Settings that every test shares."""

from __future__ import annotations

from hypothesis import settings

# Machines differ in speed, and a test says nothing about it.
settings.register_profile("grokbench", deadline=None, print_blob=True)
settings.load_profile("grokbench")
