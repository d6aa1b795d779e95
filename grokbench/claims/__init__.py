"""Judges claims: applies each claim's rule to what its detector found."""

from grokbench.claims.document import SCHEMA, verdicts_document
from grokbench.claims.judging import judge
from grokbench.claims.outlook import seeds_expected, with_outlooks
from grokbench.claims.scoring import detector_of, missing_at_next_look, score
from grokbench.claims.selection import data_of, datasets_of, runs_of, selected
from grokbench.claims.summary import Shortfall, Summary
from grokbench.claims.verdict import Look, Outcome, Outlook, Verdict

__all__ = [
    "SCHEMA",
    "Look",
    "Outcome",
    "Outlook",
    "Shortfall",
    "Summary",
    "Verdict",
    "data_of",
    "datasets_of",
    "detector_of",
    "judge",
    "missing_at_next_look",
    "runs_of",
    "score",
    "seeds_expected",
    "selected",
    "verdicts_document",
    "with_outlooks",
]
