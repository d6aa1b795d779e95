"""What the benchmarks train: one-layer runs of modular addition, as in the paper's first figures."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.plan import lay_out
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training import Setup
from grokbench.training.process import keep_freed_memory
from grokbench.training.stack import build_model

MODULUS, DATA_SIZE = 113, 3000
LEARNING_RATE, WEIGHT_DECAY, BETAS, EPSILON = 1e-3, 1.0, (0.9, 0.98), 1e-8
SEEDS = {"cpu": 11, "cuda": 1024}
"""How many runs of a size there are to stack: the paper's seeds on a CPU, a whole grid on a GPU."""


def one_layer(
    size: int,
    seed: int,
    *,
    modulus: int = MODULUS,
    data_size: int = DATA_SIZE,
    layers: int = 1,
    steps: int = 40_000,
) -> Run:
    """A run as all contestants train it: full batch, AdamW at a constant rate, float32."""
    task = Choice("modular_addition", {"modulus": modulus, "split": "ordered"})
    optimizer = Choice("adamw", {"betas": BETAS, "epsilon": EPSILON})
    recipe = Recipe(optimizer, steps, LEARNING_RATE, WEIGHT_DECAY, warmup_steps=0)
    return Run(task, Choice("dense"), ModelSize(size, layers), data_size, seed, recipe)


def cohort_first(size: int, device: str) -> tuple[int, list[Run]]:
    """How many runs of this size a plan trains at once, and all of them, that cohort's first."""
    runs = [one_layer(size, seed) for seed in range(SEEDS[device])]
    cohort = lay_out(runs, Plugins.load(), device)[0].runs
    return len(cohort), [*cohort, *(run for run in runs if run not in cohort)]


@dataclass(frozen=True, eq=False)
class Start:
    """What every contestant starts from, on the CPU: a module, inputs and labels for each run.

    `inputs` is [runs, examples, 3] and `labels` [runs, examples], the training examples alone.
    """

    models: tuple[nn.Module, ...]
    inputs: Tensor
    labels: Tensor

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Start:
        made = Setup.of(runs[0], Plugins.load())
        models = tuple(build_model(run, made.architecture, made.task) for run in runs)
        examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
        inputs = torch.stack([one.inputs[one.train] for one in examples])
        labels = torch.stack([one.labels[one.train] for one in examples])
        return cls(models, inputs, labels)


def has_jax() -> bool:
    return importlib.util.find_spec("jax") is not None


def one_core(device: str) -> str:
    """Keep this process, and those it starts, to one core and one thread; says how that went."""
    os.environ.setdefault("JAX_PLATFORMS", device)
    if device != "cpu":
        # JAX would take most of the card at once, and multiply in TF32.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
        return f"on {torch.cuda.get_device_name()}"
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    torch.set_num_threads(1)
    if not hasattr(os, "sched_setaffinity"):
        return "one thread each"
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return "one thread each, all on the same core"


def settle(*, keep_memory: bool) -> None:
    """What holds for every process that is timed: one thread, float32 as IEEE has it."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    if keep_memory:
        keep_freed_memory()


def synchronize(device: str) -> None:
    """Wait for a GPU to end what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()


def forget(device: str) -> None:
    """Give a GPU's memory back to the other contestants."""
    if device != "cpu":
        torch.cuda.empty_cache()


def seconds(work: Callable[[], object], device: str) -> float:
    """How long `work` takes, the device's part included."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start
