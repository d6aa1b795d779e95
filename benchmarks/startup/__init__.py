"""How long training takes to reach its first step, and how long compilation takes.

    python -m benchmarks.startup [--rounds 3] [--device cpu] [--suite suites/quick.toml]

Every measurement is made in a fresh process: first with an empty cache of compiled kernels, then again
with the cache that the first process left.
"""
