"""The generalizing circuit of modular addition, seen in the frequency domain, for grokbench."""
