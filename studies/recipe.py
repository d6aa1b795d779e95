"""Which of the recipes in suites/recipe.toml agree with the end points of Fig. 3, and for how long.

    grokbench run suites/recipe.toml
    python -m studies.recipe results/recipe

prints the table of docs/recipe.md; with `--write docs/recipe.md` it puts it there, between the
markers. Every budget of steps up to the last is read off the same runs, as if training had ended
there: the learning rate is constant, so it might have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import xarray as xr

import grokbench
from grokbench.readout import finished, generalization_accuracy, settled, sustained_crossing

NEAR_PERFECT = 0.9
"""Final mirror-free accuracy, the mean over seeds, that counts as the paper's "near-perfect"."""

END_POINTS = {(64, 3000): True, (64, 2600): False, (32, 4000): True, (32, 3400): False}
"""(hidden size, examples) → whether Fig. 3 shows near-perfect accuracy there. Its text names 3000
and 4000; markedly fewer examples are a few steps of its grid fewer."""

POOLED: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("faster", {"learning_rate": 1e-2}),
    ("short", {}),
)
"""One recipe that the suite trains on two sets of seeds, for different numbers of steps."""

MARKS = ("<!-- the sweep -->", "<!-- the end of the sweep -->")


@dataclass(frozen=True)
class Cell:
    """One end point under one recipe."""

    generalized: xr.DataArray
    """The step from which each seed stays near-perfect; NaN where it does not."""
    near_perfect: Mapping[int, bool]
    """Budget of steps → whether the seeds' mean accuracy ends near-perfect."""
    final: float
    """The mean accuracy at the last step."""

    @classmethod
    def of(cls, data: xr.Dataset) -> Cell | None:
        """Read one cell; None where no seed has finished."""
        data = data.isel(seed=np.flatnonzero(finished(data)))
        if not data.sizes["seed"]:
            return None
        data = data.dropna("step", how="all", subset=["train_accuracy"])
        steps = data["step"].to_numpy()
        budgets = [int(step) for step in steps if step]
        accuracy = {step: final_accuracy(data.isel(step=steps <= step)) for step in budgets}
        return cls(
            sustained_crossing(data, generalization_accuracy(data), NEAR_PERFECT),
            {step: value >= NEAR_PERFECT for step, value in accuracy.items()},
            accuracy[budgets[-1]],
        )

    def __str__(self) -> str:
        steps = self.generalized.to_numpy()
        reached = np.sort(steps[~np.isnan(steps)]).astype(int)
        when = f", at {', '.join(f'{step}' for step in reached)}" if reached.size else ""
        return f"{self.final:.2f} ({reached.size} of {steps.size}{when})"


def final_accuracy(data: xr.Dataset) -> float:
    """The mean over seeds of where mirror-free accuracy ended."""
    return float(settled(data, generalization_accuracy(data)).mean())


def recipes(tree: xr.DataTree) -> Iterator[tuple[str, dict[tuple[int, int], Cell]]]:
    """Each recipe of the sweep, in words, and its end points as far as they are trained."""
    names = dict.fromkeys(name.rpartition("_")[0] for name in tree.children)
    for name in names:
        sizes = [
            tree[child].to_dataset() for child in tree.children if child.startswith(f"{name}_")
        ]
        title = str(sizes[0].attrs.get("title", name)).partition(", hidden size")[0]
        swept = [
            dimension
            for dimension in sizes[0]["status"].dims
            if dimension not in ("model_size", "data_size", "seed")
        ]
        for values in np.ndindex(*(sizes[0].sizes[dimension] for dimension in swept)):
            at = dict(zip(swept, values, strict=True))
            words = [
                f"{dimension} {sizes[0][dimension].values[i]:g}" for dimension, i in at.items()
            ]
            cells = end_points(one.isel(at) for one in sizes)
            yield ", ".join([title, *words]).replace("_", " "), cells
    if all(f"{name}_{size}" in tree for name, _ in POOLED for size, _ in END_POINTS):
        pools = [pooled(tree, size) for size in dict.fromkeys(size for size, _ in END_POINTS)]
        yield "Learning rate 0.01, all seeds", end_points(pools)


def pooled(tree: xr.DataTree, size: int) -> xr.Dataset:
    """All seeds of the recipe trained twice, at the steps at which both were evaluated."""
    parts = [tree[f"{name}_{size}"].to_dataset().sel(at) for name, at in POOLED]
    parts = [part.drop_vars(["learning_rate"], errors="ignore") for part in parts]
    return xr.concat(parts, "seed", join="inner", data_vars="minimal")


def end_points(sizes: Iterable[xr.Dataset]) -> dict[tuple[int, int], Cell]:
    """Those of the cells that are trained, of experiments without any other dimension."""
    return {
        (int(size), int(amount)): cell
        for data in sizes
        for i, size in enumerate(data["model_size"].to_numpy())
        for j, amount in enumerate(data["data_size"].to_numpy())
        if (cell := Cell.of(data.isel(model_size=i, data_size=j))) is not None
    }


def agreeing(cells: Mapping[tuple[int, int], Cell]) -> str:
    """The budgets at which all end points known are as the paper has them, in words."""
    budgets = set.intersection(*(set(cell.near_perfect) for cell in cells.values()))
    good = [
        budget
        for budget in sorted(budgets)
        if all(cell.near_perfect[budget] == END_POINTS[at] for at, cell in cells.items())
    ]
    if not good:
        return "none"
    known = "" if len(cells) == len(END_POINTS) else f" ({len(cells)} of {len(END_POINTS)} cells)"
    return f"{good[0]} to {good[-1]}{known}" if good[-1] > good[0] else f"{good[0]}{known}"


def table(tree: xr.DataTree) -> str:
    head = [f"size {size}, D {amount}" for size, amount in END_POINTS]
    wanted = ["near-perfect" if shown else "not" for shown in END_POINTS.values()]
    rows = [
        ["recipe", *head, "steps at which all agree"],
        ["---"] * (len(head) + 2),
        ["*Fig. 3*", *(f"*{word}*" for word in wanted), ""],
    ]
    for words, cells in recipes(tree):
        if cells:
            shown = [str(cells[at]) if at in cells else "" for at in END_POINTS]
            rows.append([words, *shown, agreeing(cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@click.command()
@click.argument("results", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--write", type=click.Path(exists=True, path_type=Path), help="A document to put it in."
)
def main(results: Path, write: Path | None) -> None:
    """Print the sweep in RESULTS as a table."""
    found = table(grokbench.open_results(results))
    click.echo(found)
    if write is not None:
        before, rest = write.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        text = f"{before}{MARKS[0]}\n\n{found}\n\n{MARKS[1]}{after}"
        write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
