"""Muon and Lion for grokbench."""
