"""Which recipes of suites/recipe.toml agree with the end points of Fig. 3, and at how many steps?

    grokbench run suites/recipe.toml
    python -m studies.recipe results/recipe --write docs/recipe.md

prints the table of docs/recipe.md, and with `--write` also puts it there. The learning rate is constant,
so that a run that ends early has the same curves as a longer run up to there: every number of steps up to
the last is read off the same runs.
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
from studies.documents import Marks, table

NEAR_PERFECT = 0.9
"""The mean final mirror-free accuracy over seeds that counts as the paper's "near-perfect"."""

EndPoint = tuple[int, int]
"""Hidden size, number of examples."""

END_POINTS: Mapping[EndPoint, bool] = {
    (64, 3000): True,
    (64, 2600): False,
    (32, 4000): True,
    (32, 3400): False,
}
"""Whether Fig. 3 shows near-perfect accuracy. The paper's text names 3000 and 4000 examples; the other
two lie a few of the figure's data sizes below."""

POOLED: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("faster", {"learning_rate": 1e-2}),
    ("short", {}),
)
"""One recipe that the suite trains on two sets of seeds, for different numbers of steps."""

MARKS = Marks("<!-- the sweep -->", "<!-- the end of the sweep -->")


@dataclass(frozen=True)
class Cell:
    """One end point under one recipe."""

    generalized: xr.DataArray
    """The step from which each seed stays near-perfect; NaN where it does not."""
    near_perfect: Mapping[int, bool]
    """Number of steps → whether the seeds' mean accuracy ends near-perfect."""
    final: float
    """The mean accuracy at the last step."""

    @classmethod
    def of(cls, data: xr.Dataset) -> Cell | None:
        """Read one cell; None if no seed has finished."""
        data = data.isel(seed=np.flatnonzero(finished(data)))
        if not data.sizes["seed"]:
            return None
        data = data.dropna("step", how="all", subset=["train_accuracy"])
        steps = data["step"].to_numpy()
        budgets = [int(step) for step in steps if step]
        accuracy = {step: _final_accuracy(data.isel(step=steps <= step)) for step in budgets}
        return cls(
            sustained_crossing(data, generalization_accuracy(data), NEAR_PERFECT),
            {step: value >= NEAR_PERFECT for step, value in accuracy.items()},
            accuracy[budgets[-1]],
        )

    def __str__(self) -> str:
        """`1.00 (3 of 3, at 900, 1000, 1400)`: final accuracy, seeds that stay near-perfect, steps."""
        steps = self.generalized.to_numpy()
        reached = np.sort(steps[~np.isnan(steps)]).astype(int)
        when = f", at {', '.join(f'{step}' for step in reached)}" if reached.size else ""
        return f"{self.final:.2f} ({reached.size} of {steps.size}{when})"


def _final_accuracy(data: xr.Dataset) -> float:
    """The mean over seeds of the settled mirror-free accuracy."""
    return float(settled(data, generalization_accuracy(data)).mean())


def recipes(tree: xr.DataTree) -> Iterator[tuple[str, dict[EndPoint, Cell]]]:
    """Each recipe of the sweep in words, with those of its end points that are trained."""
    for name in dict.fromkeys(name.rpartition("_")[0] for name in tree.children):
        # One experiment for each hidden size: <name>_64, <name>_32.
        sizes = [
            tree[child].to_dataset() for child in tree.children if child.startswith(f"{name}_")
        ]
        title = str(sizes[0].attrs.get("title", name)).partition(", hidden size")[0]
        grid = ("model_size", "data_size", "seed")
        swept = [dimension for dimension in sizes[0]["status"].dims if dimension not in grid]
        for values in np.ndindex(*(sizes[0].sizes[dimension] for dimension in swept)):
            at = dict(zip(swept, values, strict=True))
            words = [
                f"{dimension} {sizes[0][dimension].values[i]:g}" for dimension, i in at.items()
            ]
            cells = _end_points(one.isel(at) for one in sizes)
            yield ", ".join([title, *words]).replace("_", " "), cells
    if all(f"{name}_{size}" in tree for name, _ in POOLED for size, _ in END_POINTS):
        pools = [_pooled(tree, size) for size in dict.fromkeys(size for size, _ in END_POINTS)]
        yield "Learning rate 0.01, all seeds", _end_points(pools)


def _pooled(tree: xr.DataTree, size: int) -> xr.Dataset:
    """All seeds of `POOLED`, at the steps at which both sets were evaluated."""
    parts = [tree[f"{name}_{size}"].to_dataset().sel(at) for name, at in POOLED]
    parts = [part.drop_vars(["learning_rate"], errors="ignore") for part in parts]
    return xr.concat(parts, "seed", join="inner", data_vars="minimal")


def _end_points(sizes: Iterable[xr.Dataset]) -> dict[EndPoint, Cell]:
    """The trained cells of experiments that have no swept field."""
    return {
        (int(size), int(amount)): cell
        for data in sizes
        for i, size in enumerate(data["model_size"].to_numpy())
        for j, amount in enumerate(data["data_size"].to_numpy())
        if (cell := Cell.of(data.isel(model_size=i, data_size=j))) is not None
    }


def agreeing(cells: Mapping[EndPoint, Cell]) -> str:
    """The numbers of steps at which all known end points agree with the paper, in words."""
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


def sweep(tree: xr.DataTree) -> str:
    """The table of docs/recipe.md."""
    shown = ["near-perfect" if near_perfect else "not" for near_perfect in END_POINTS.values()]
    rows = [["*Fig. 3*", *(f"*{word}*" for word in shown), ""]]
    for words, cells in recipes(tree):
        if cells:
            ends = [str(cells[at]) if at in cells else "" for at in END_POINTS]
            rows.append([words, *ends, agreeing(cells)])
    head = [f"size {size}, D {amount}" for size, amount in END_POINTS]
    return table(["recipe", *head, "steps at which all agree"], rows)


@click.command()
@click.argument("results", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="A document to update.",
)
def main(results: Path, document: Path | None) -> None:
    """Print the sweep in RESULTS as a table."""
    found = sweep(grokbench.open_results(results))
    click.echo(found)
    if document is not None:
        MARKS.write(document, found)


if __name__ == "__main__":
    main(prog_name="python -m studies.recipe")
