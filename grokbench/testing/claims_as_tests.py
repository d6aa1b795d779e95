"""What `pytest --grokbench-suite` says of a claim that did not come out as its suite expects."""

from __future__ import annotations

import numpy as np

from grokbench.claims import Shortfall, Verdict, data_of, runs_of
from grokbench.claims.words import interval, rule_words
from grokbench.comparison.readings import Runs, average, cells_of
from grokbench.errors import NotEnoughDataError
from grokbench.plain import on_one_line
from grokbench.record import Status
from grokbench.session import Sitting

SHOWN = 24
"""The number of cells that are listed under a claim that failed."""


class UnexpectedVerdict(Exception):  # noqa: N818 - nothing went wrong in the program
    """A claim came out otherwise than its suite expects, or rests on too few runs; in words."""


def measured(verdict: Verdict) -> list[tuple[str, str]]:
    """The outcome, the effect and what was changed after training, for reports."""
    found = verdict.finding
    effect = [("effect", on_one_line(f"{interval(found)} {found.unit}"))] if found else []
    changes = [("changed_after_training", on_one_line(change)) for change in verdict.changes]
    return [("verdict", verdict.outcome.description), *effect, *changes]


def explained(verdict: Verdict, sitting: Sitting, *, strict_rules: bool = False) -> str:
    """What came out, what was expected, why, and the cells behind it; empty for what is expected.

    With `strict_rules`, a claim that was changed after training is not what is expected.
    """
    claim, finding = verdict.claim, verdict.finding
    shortfall = Shortfall.of(runs_of([verdict], sitting.tree))
    wrong = [str(shortfall)] if shortfall else []
    wrong += verdict.changes if strict_rules else []
    if verdict.expected and not wrong:
        return ""
    outcome = verdict.outcome.description
    told = (
        f"{outcome}, as the suite expects, but {'; '.join(wrong)}"
        if verdict.expected
        else f"{outcome}, where the suite expects {claim.expect}"
    )
    source = f" ({claim.source})" if claim.source else ""
    lines = [
        f"{told}: {claim.name}",
        f"  claim     {claim.statement}{source}",
        f"  rule      effect {rule_words(claim.rule)}, from {claim.minimum_seeds} seeds or more",
    ]
    if finding:
        lines.append(f"  effect    {interval(finding)} {finding.unit}, {finding.seeds} seeds")
    lines += [f"  changed   {change}" for change in verdict.changes]
    lines += [f"  because   {verdict.reason}", f"  results   {sitting.folder}"]
    lines += [f"  lost      {message}" for message in sitting.lost]
    try:
        datasets = data_of(verdict, sitting.tree)
    except NotEnoughDataError:
        return "\n".join(map(on_one_line, lines))
    messages = {
        str(message).strip().splitlines()[-1]
        for data in datasets.values()
        for message in data["message"].to_numpy()[data["status"].to_numpy() == Status.FAILED]
        if str(message).strip()
    }
    lines += [f"  crashed   {message}" for message in sorted(messages)]
    for role, data in datasets.items():
        cells = cells_of(data)
        lines.append(f"  cells     {claim.experiments[role]}:")
        for point, runs in list(cells.items())[:SHOWN]:
            place = ", ".join(f"{name} {value}" for name, value in point)
            lines.append(f"    {place}: {ended(runs)}")
        if len(cells) > SHOWN:
            lines.append(f"    … and {len(cells) - SHOWN} more; `grokbench report` has them all")
    return "\n".join(map(on_one_line, lines))


def ended(runs: Runs) -> str:
    """`runs 5; train accuracy 1 (1 to 1); validation accuracy 0.62 (0.1 to 1)`."""
    told = [f"runs {len(runs.seeds)}"]
    for name, values in runs.readings.items():
        there = values[~np.isnan(values)]
        if name[0] in ("train_accuracy", "validation_accuracy") and there.size:
            measured = " ".join(filter(None, (name[1], name[0].replace("_", " "))))
            extent = f"({there.min():.3g} to {there.max():.3g})"
            told.append(f"{measured} {average(name, there):.3g} {extent}")
    return "; ".join(told)
