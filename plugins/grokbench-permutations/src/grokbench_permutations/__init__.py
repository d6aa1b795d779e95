"""Composition of permutations, the group task of the grokking literature, for grokbench."""
