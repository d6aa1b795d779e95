"""How often does each detector find what is not there, and how often what is there?

    python -m studies.calibration --write docs/detectors.md
    python -m studies.calibration --only crossing --write docs/detectors.md

The study simulates experiments with and without each phenomenon (`grokbench.testing.simulator`) for
3, 5, 11 and 30 seeds, applies the detector at a confidence of 0.95, and counts.

A *false positive* is an interval that lies wholly beyond the true effect: a rule whose bound is the
true effect would call the claim reproduced. An exact 95 % interval does so in 2.5 % of simulations.
*Power* is how often the rule of a suite calls the claim reproduced where the phenomenon is as large as
in the paper.

`deciding` counts how often each end of an interval misses at the confidences that decide among many claims
and looks.

`trials` is the table of what is simulated, `runner` counts, and `tables` writes the result.
"""
