"""`python -m grokbench` is `grokbench`."""

from grokbench.cli import main

main()
