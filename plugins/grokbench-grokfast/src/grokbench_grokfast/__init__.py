"""Grokfast, and how much sooner it groks, for grokbench."""
