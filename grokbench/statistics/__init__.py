"""Statistical methods: arrays of numbers in, estimates and intervals out.

Nothing here knows of experiments, runs or suites. The modules import numpy and scipy alone.

| module | method |
| --- | --- |
| `intervals` | intervals for a mean (Student), a difference of means (Welch), a share (Clopper–Pearson) |
| `jackknife` | the jackknife for an estimate that rests on the seeds of several experiments |
| `kendall` | Kendall's tau for interval-censored values |
| `minimum` | an upper confidence bound for the minimum of a group, by a rank argument |
| `interval_regression` | regression of interval-censored values on a line, maximum a posteriori |
| `seed_variance` | the variance between seeds, where few seeds tell little |
| `dips`, `dip_depth` | the depth of a dip in a curve, with isotonic regression as the null |
| `unseen` | what a kind of run may hide that no seed shows |
| `permutation` | permutation tests with the Westfall–Young step-down correction |
"""
