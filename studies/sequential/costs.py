"""CPU seconds of training, from what runs cost here.

    python -m studies.sequential.costs

measures `MEASURED` again. Where the study says what seeds cost, it takes these numbers.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grokbench import parse_suite, run_suite

EXAMPLES = 3000
STEPS = 2000
"""Of a run in suites/paper.toml."""

MEASURED: Mapping[int, float] = {8: 2.89, 32: 5.57, 64: 13.72}
"""Hidden size → CPU seconds for 1000 steps of one run of a + b mod 113 with `EXAMPLES` examples, five runs
stacked, on one core of an AMD EPYC machine that was busy with other work, 2026-11-27. The start of the process is
not counted. An idle machine takes less."""

SUITE = """
title = "What a run costs"
[recipes.paper]
optimizer = {{ name = "adamw", betas = [0.9, 0.98] }}
learning_rate = 1e-2
weight_decay = 1.0
steps = {steps}
evaluate_every = 25
[experiments.addition]
task = {{ name = "modular_addition", modulus = 113, split = "ordered" }}
architecture = "dense"
recipe = "paper"
model_sizes = [{size}]
data_sizes = [{examples}]
seeds = [0, 1, 2, 3, 4]
"""


def seconds(parameters: npt.ArrayLike, examples: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """CPU seconds of one run of `STEPS` steps.

    Between the sizes measured, the logarithm of the cost is interpolated over the logarithm of the number of
    parameters; beyond them, the line goes on. The cost is in proportion to the examples.

    Args:
        parameters: of the model.
        examples: that train.
    """
    sizes = np.log(parameters_of(np.array(list(MEASURED), float)))
    costs = np.log(list(MEASURED.values()))
    wanted = np.log(np.asarray(parameters, float))
    inside = np.interp(wanted, sizes, costs)
    first, last = (np.diff(costs) / np.diff(sizes))[[0, -1]]
    below, above = np.minimum(wanted - sizes[0], 0), np.maximum(wanted - sizes[-1], 0)
    each = np.exp(inside + first * below + last * above)
    return np.asarray(each * STEPS / 1000 * np.asarray(examples, float) / EXAMPLES)


def parameters_of(hidden_size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of a model with one layer; the simulator counts them in the same way (`Grid.parameters`)."""
    return 12 * hidden_size**2 + (2 * 113 + 9) * hidden_size


def measured() -> dict[int, float]:
    """`MEASURED`, on this machine: from the difference between 300 and 100 steps."""

    def spent() -> float:
        used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    def cost(size: int, steps: int) -> float:
        text = SUITE.format(size=size, steps=steps, examples=EXAMPLES)
        before = spent()
        with tempfile.TemporaryDirectory() as folder:
            run_suite(parse_suite(text, "costs.toml"), Path(folder), jobs=1)
        return spent() - before

    return {size: (cost(size, 300) - cost(size, 100)) / 5 / 200 * 1000 for size in MEASURED}


if __name__ == "__main__":
    for hidden_size, cpu_seconds in measured().items():
        print(f"hidden size {hidden_size}: {cpu_seconds:.2f} CPU seconds for 1000 steps")
