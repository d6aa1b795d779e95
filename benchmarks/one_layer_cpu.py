"""One-layer training on one CPU thread: grokbench's trainer against a plain PyTorch loop.

    python benchmarks/one_layer_cpu.py [--sizes 8 32 64] [--rounds 7]

Both do the same optimization from the same initial weights: modular addition, P = 113, D = 3000,
full batch, AdamW, cross entropy, float32. The plain loop is a standard three-position transformer
of `torch.nn` modules, autograd and `torch.optim.AdamW`, one run after the other. grokbench trains
as many runs at once as its plan would put into one cohort. The two take turns within each round, and
the ratio is taken round by round, so that it holds when the machine's speed drifts; the losses of
both are compared at the end.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from grokbench.plan import lay_out
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training import Definitions
from grokbench.training.loop import choose_program
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch

MODULUS, DATA_SIZE, SEEDS = 113, 3000, 11
RECIPE = Recipe(Choice("adamw"), steps=40_000, learning_rate=1e-3)


def run(size: int, seed: int) -> Run:
    task = Choice("modular_addition", {"modulus": MODULUS, "split": "ordered"})
    return Run(task, Choice("dense"), ModelSize(size), DATA_SIZE, seed, RECIPE)


def stacked_step(
    runs: list[Run], plugins: Plugins
) -> tuple[Callable[[], None], Callable[[], float]]:
    """One step of all `runs`, and the first one's training loss."""
    made = Definitions.of(runs[0], plugins)
    models = [build_model(one, made.architecture, made.task) for one in runs]
    examples = [made.task.examples(one.data_size, Streams(one.seed)) for one in runs]
    stack = Parameters.of(models, torch.device("cpu"))
    train = training_batch(examples, stack.flat)
    evaluation = evaluation_batch(examples, stack.flat)
    program = choose_program(runs, models, made, train, evaluation)
    gradients = torch.empty_like(stack.flat)
    parameters_by_name, gradients_by_name = stack.views(stack.flat), stack.views(gradients)
    rate = torch.tensor([[one.recipe.learning_rate] for one in runs])
    decay = RECIPE.weight_decay * stack.decayed("all").expand_as(stack.flat)
    made.optimizer.start(stack.flat)

    def step() -> None:
        program.gradient(parameters_by_name, gradients_by_name)
        made.optimizer.step(stack.flat, gradients, rate, decay)

    def loss() -> float:
        outputs = program.outputs(parameters_by_name)[0][examples[0].train]
        labels = examples[0].labels[examples[0].train]
        return float(functional.cross_entropy(outputs.double(), labels))

    return step, loss


def plain_step(one: Run, plugins: Plugins) -> tuple[Callable[[], None], Callable[[], float]]:
    """One step of one run as anyone would write it, and its training loss."""
    made = Definitions.of(one, plugins)
    model = build_model(one, made.architecture, made.task)
    examples = made.task.examples(one.data_size, Streams(one.seed))
    inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
    optimizer = torch.optim.AdamW(
        model.parameters(), RECIPE.learning_rate, (0.9, 0.98), weight_decay=RECIPE.weight_decay
    )

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    def loss() -> float:
        with torch.no_grad():
            return float(functional.cross_entropy(model(inputs).double(), labels))

    return step, loss


def seconds(step: Callable[[], None], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - start) / times


def measure(size: int, rounds: int, plugins: Plugins) -> tuple[int, list[float], list[float]]:
    """Runs in the cohort, and milliseconds per run and step of each round: ours, and plain."""
    cohort = lay_out([run(size, seed) for seed in range(SEEDS)], plugins, "cpu")[0]
    ours, our_loss = stacked_step(list(cohort.runs), plugins)
    plain, plain_loss = plain_step(cohort.runs[0], plugins)
    steps = max(2, round(0.5 / seconds(plain, 2)))
    seconds(ours, 2)
    stacked_ms, plain_ms = [], []
    for _ in range(rounds):
        stacked_ms.append(seconds(ours, steps) / len(cohort.runs) * 1e3)
        plain_ms.append(seconds(plain, steps) * 1e3)
    if not abs(our_loss() / plain_loss() - 1) < 0.02:
        raise SystemExit(f"size {size}: the two do not do the same: {our_loss()}, {plain_loss()}")
    return len(cohort.runs), stacked_ms, plain_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 32, 64])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plugins = Plugins.load()
    table = Table(
        "hidden size", "runs at once", "grokbench, ms", "plain loop, ms", "times faster",
        title=f"Per run and step: P = {MODULUS}, D = {DATA_SIZE}, one thread, medians [range]",
    )  # fmt: skip
    for size in arguments.sizes:
        runs, ours, plain = measure(size, arguments.rounds, plugins)
        ratios = [b / a for a, b in zip(ours, plain, strict=True)]
        table.add_row(
            str(size),
            str(runs),
            f"{statistics.median(ours):.2f}",
            f"{statistics.median(plain):.2f}",
            f"{statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
