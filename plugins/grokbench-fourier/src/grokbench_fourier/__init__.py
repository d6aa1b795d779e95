"""The generalizing circuit of modular addition in the frequency domain, for grokbench."""
