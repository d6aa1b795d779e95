"""Do all ways of training give the same distribution over seeds?

    python -m studies.distributions [--seeds 30] [--steps 600]

Training is chaotic: two exact programs in float32 give different weights after some hundred steps.
Single runs can then no longer be compared, only distributions over seeds. This study trains the same
30 seeds by a plain PyTorch loop and by every program of the trainer, and compares each program's
sample with the plain loop's (`p_values`). The controls train something else on purpose and must be
told apart.

The tests treat samples as independent. Most samples here start from the same weights and examples,
so that they resemble each other and false alarms are rarer than p says. One way uses other seeds and
is independent.
"""
