"""Compares two results, claim by claim and cell by cell.

Their versions, devices, seeds and recipes may differ. `verdicts` says which verdicts changed,
`cells` which readings differ by more than their seeds explain, `provenance` what differs in where
the results come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import xarray as xr

from grokbench.claims import Verdict
from grokbench.claims.json_value import json_value
from grokbench.comparison.cells import LEVEL, CellComparison, Reading, compare_cells
from grokbench.comparison.provenance import Contrast, contrasts, suite_difference
from grokbench.comparison.verdicts import VerdictPair, pair_verdicts
from grokbench.errors import ResultsError

__all__ = [
    "LEVEL",
    "CellComparison",
    "Comparison",
    "Contrast",
    "Reading",
    "VerdictPair",
    "compare",
]

SCHEMA = 1
"""Raised when the layout of the comparison document changes."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    verdicts: tuple[VerdictPair, ...]
    cells: CellComparison
    provenance: tuple[Contrast, ...]
    suite: tuple[str, ...]
    """The lines in which the suites' texts differ, as `diff -u` shows them."""

    @property
    def changed(self) -> tuple[VerdictPair, ...]:
        """The claims whose verdicts changed by more than chance explains."""
        return tuple(pair for pair in self.verdicts if pair.changed)

    def document(self) -> dict[str, Any]:
        """The comparison as `grokbench compare --json` prints it; `docs/compare.md` describes it."""
        cells = self.cells
        document: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "changed": [pair.claim for pair in self.changed],
                "verdicts": [_verdicts(pair) for pair in self.verdicts],
                "level": cells.level,
                "overlap": asdict(cells.overlap),
                "seeds": [asdict(one) for one in cells.seeds],
                "different": len(cells.different),
                "readings": [
                    {
                        **asdict(one),
                        "cell": dict(one.cell),
                        "different": one.corrected <= cells.level,
                    }
                    for one in cells.readings
                ],
                "one_sided": [asdict(one) for one in cells.one_sided],
                "provenance": [asdict(one) for one in self.provenance],
                "suite": list(self.suite),
            }
        )
        return document


def compare(
    first: xr.DataTree,
    second: xr.DataTree,
    verdicts: tuple[Sequence[Verdict], Sequence[Verdict]] = ((), ()),
    *,
    level: float = LEVEL,
) -> Comparison:
    """Compare two results, A and B.

    Args:
        first: A, as `open_results` gives it.
        second: B.
        verdicts: on A and on B, as `score` gives them; without them, only cells are compared.
        level: the probability that any reading is called different although only seeds differ.

    Raises:
        ResultsError: A and B have nothing in common.
    """
    pairs = pair_verdicts(*verdicts)
    cells = compare_cells(first, second, level)
    if not cells.overlap.cells and not any(pair.first and pair.second for pair in pairs):
        raise ResultsError(
            f"A and B share nothing: no claim, and no cell of an experiment in which both have "
            f"trained runs; A has the experiments {_names(first)}, B has {_names(second)}. "
            f"Experiments and claims are compared by name: give two results of one suite"
        )
    return Comparison(pairs, cells, contrasts(first, second), suite_difference(first, second))


def _names(tree: xr.DataTree) -> str:
    return ", ".join(str(name) for name in tree.children) or "none"


def _verdicts(pair: VerdictPair) -> dict[str, Any]:
    return {
        "claim": pair.claim,
        "changed": pair.changed,
        "differs": pair.differs,
        "overlapping": pair.overlapping,
        "rewritten": list(pair.rewritten),
        "first": _verdict(pair.first),
        "second": _verdict(pair.second),
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    finding = verdict.finding
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "changes": list(verdict.changes),
        "effect": finding and finding.effect,
        "low": finding and finding.low,
        "high": finding and finding.high,
        "seeds": finding and finding.seeds,
    }
