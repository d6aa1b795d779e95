"""Settings that every test shares."""

from __future__ import annotations

import os

from hypothesis import settings

# pytest-xdist sets it, and tables would be as narrow.
os.environ.pop("COLUMNS", None)

# Machines differ in speed, and a test says nothing about it.
settings.register_profile("grokbench", deadline=None, print_blob=True)
settings.load_profile("grokbench")
