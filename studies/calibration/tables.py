"""The two tables of docs/detectors.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from studies.calibration.runner import CLAIMS, PAPER_SEEDS, Batch, Rate
from studies.calibration.trials import TRIALS
from studies.documents import Marks, row

MARKS = Marks("<!-- the calibration -->", "<!-- the end of the calibration -->")


def tables(rates: Mapping[Batch, Rate], seeds: Sequence[int], before: str = "") -> str:
    """A table of false positives and a table of power, in per cent.

    Rows that were not measured are taken over from the tables in `before`.

    Raises:
        click.UsageError: the tables in `before` have other columns.
    """
    return "\n\n".join(
        _table(rates, seeds, before.splitlines(), phenomenon=phenomenon)
        for phenomenon in (False, True)
    )


def _table(
    rates: Mapping[Batch, Rate], seeds: Sequence[int], older: Sequence[str], *, phenomenon: bool
) -> str:
    columns = _columns(seeds, phenomenon=phenomenon)
    title = "power, %" if phenomenon else "false positives, %"
    header = row(title, "simulated", "rule", *columns)
    if older and header not in older:
        raise click.UsageError(f"the document has other columns than {header}; name the same seeds")
    rows = [header, row(*["---"] * (3 + len(columns)))]
    for index, trial in enumerate(TRIALS):
        scenario, rule = trial.case(phenomenon=phenomenon)
        label = (trial.name, scenario.words, str(rule))
        measured = {
            (batch.seeds, batch.claims): str(rate)
            for batch, rate in rates.items()
            if (batch.trial, batch.phenomenon) == (index, phenomenon)
        }
        if measured:
            rows.append(row(*label, *(measured.get(key, "") for key in columns.values())))
        else:
            rows.extend(line for line in older if line.startswith(row(*label)))
    return "\n".join(rows)


def _columns(seeds: Sequence[int], *, phenomenon: bool) -> dict[str, tuple[int, int]]:
    """Heading → the number of seeds, and of the claims that the confidence is corrected for."""
    columns = {}
    for number in seeds:
        columns[f"{number} seeds"] = (number, 1)
        if phenomenon and number == PAPER_SEEDS:
            columns[f"{number} seeds, {CLAIMS} claims"] = (number, CLAIMS)
    return columns
