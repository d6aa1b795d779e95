"""Statistical methods: arrays of numbers in, estimates and intervals out.

Nothing here knows of experiments or suites. The modules import numpy, scipy and the classes of
errors (`grokbench.errors`) alone.

| module | method |
| --- | --- |
| `intervals` | for a mean (Student), a difference of means (Welch), a share (Clopper–Pearson) |
| `stratified` | for a mean over strata with equal weights |
| `jackknife` | the jackknife for an estimate that rests on the seeds of several experiments |
| `kendall` | Kendall's tau for interval-censored values |
| `dividing_line` | the slope of the line between successes and failures, by likelihood ratios |
| `trend` | a stratified permutation test for a trend in shares of successes |
| `minimum` | an upper bound for a group's minimum, to compare two minima, by a rank argument |
| `interval_regression` | regression of interval-censored values on a line, maximum a posteriori |
| `seed_variance` | the variance between seeds, pooled over neighbouring sizes; simulated runs |
| `dips` | the dips of a curve along model size, and the deepest |
| `isotonic`, `nearest_curves` | nearest curves with a dip or without, by restricted least squares |
| `dip_tests` | tests of a dip's depth by parametric bootstrap |
| `dip_depth` | an estimate of a dip's depth and an interval, by inverting the tests |
| `unseen` | an upper bound for a dip made by runs with an outcome that no seed shows |
| `permutation` | permutation tests with the Westfall–Young step-down correction |
"""
