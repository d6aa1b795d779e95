"""Judges claims: applies each claim's rule to what its detector found."""

from grokbench.claims.document import SCHEMA, verdicts_document
from grokbench.claims.judging import detector_of, judge, score
from grokbench.claims.selection import datasets_of, runs_behind, selected
from grokbench.claims.summary import Shortfall, Summary
from grokbench.claims.verdict import Outcome, Verdict

__all__ = [
    "SCHEMA",
    "Outcome",
    "Shortfall",
    "Summary",
    "Verdict",
    "datasets_of",
    "detector_of",
    "judge",
    "runs_behind",
    "score",
    "selected",
    "verdicts_document",
]
