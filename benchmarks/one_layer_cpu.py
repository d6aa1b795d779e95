"""One-layer training on one CPU thread: grokbench's trainer against a plain PyTorch loop.

    python benchmarks/one_layer_cpu.py [--sizes 8 32 64] [--rounds 7]

All do the same optimization from the same initial weights: modular addition, P = 113, D = 3000,
full batch, AdamW, cross entropy, float32. The plain loop is a standard three-position transformer
of `torch.nn` modules, autograd and `torch.optim.AdamW`, one run after the other; it is measured as
it is, and once more with freed memory kept as grokbench's trainer keeps it. grokbench trains as many
runs at once as its plan would put into one cohort.

Each contestant has a process of its own and they take turns, so that the ratios, taken round by
round, hold when the machine's speed drifts. The losses of all are compared at the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

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
from grokbench.training.process import keep_freed_memory
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


def plain_step(runs: list[Run], plugins: Plugins) -> tuple[Callable[[], None], Callable[[], float]]:
    """One step of the first run as anyone would write it, and its training loss."""
    one = runs[0]
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


def serve(pipe: Connection, contestant: str, size: int) -> None:
    """In a process of its own: time as many steps as asked for, again and again."""
    torch.set_num_threads(1)
    plugins = Plugins.load()
    cohort = lay_out([run(size, seed) for seed in range(SEEDS)], plugins, "cpu")[0]
    if contestant != "plain":
        keep_freed_memory()
    runs = list(cohort.runs) if contestant == "grokbench" else [cohort.runs[0]]
    step, loss = (stacked_step if contestant == "grokbench" else plain_step)(runs, plugins)
    seconds(step, 3)
    pipe.send(len(runs))
    for times in iter(pipe.recv, None):
        pipe.send((seconds(step, times) / len(runs) * 1e3, loss()))


@dataclass(frozen=True)
class Measured:
    """Milliseconds per run and step, a round each."""

    runs: int
    milliseconds: dict[str, list[float]]

    def ratio(self, contestant: str) -> str:
        pairs = zip(self.milliseconds[contestant], self.milliseconds["grokbench"], strict=True)
        ratios = [theirs / ours for theirs, ours in pairs]
        return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}–{max(ratios):.2f}]"


CONTESTANTS = ("grokbench", "plain", "plain, memory kept")


def measure(size: int, rounds: int, steps: int) -> Measured:
    context = multiprocessing.get_context("spawn")
    pipes, milliseconds = {}, {name: list[float]() for name in CONTESTANTS}
    for name in CONTESTANTS:
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, name, size), daemon=True).start()
        pipes[name] = ours
    runs = {name: pipe.recv() for name, pipe in pipes.items()}
    losses = {}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(steps)
            took, losses[name] = pipe.recv()
            milliseconds[name].append(took)
    for pipe in pipes.values():
        pipe.send(None)
    if max(losses.values()) > 1.02 * min(losses.values()):
        raise SystemExit(f"size {size}: they do not do the same optimization: {losses}")
    return Measured(runs["grokbench"], milliseconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 32, 64])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20, help="steps of each turn")
    arguments = parser.parse_args()
    table = Table(
        "hidden size", "runs at once", "grokbench, ms", "plain loop, ms", "times faster",
        "times faster than the plain loop with memory kept",
        title=f"Per run and step, P = {MODULUS}, D = {DATA_SIZE}, one thread: medians [range]",
    )  # fmt: skip
    for size in arguments.sizes:
        seen = measure(size, arguments.rounds, arguments.steps)
        table.add_row(
            str(size),
            str(seen.runs),
            f"{statistics.median(seen.milliseconds['grokbench']):.2f}",
            f"{statistics.median(seen.milliseconds['plain']):.2f}",
            seen.ratio("plain"),
            seen.ratio("plain, memory kept"),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
