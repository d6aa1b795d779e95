"""The report: one page with every verdict, and a figure for every claim."""

from grokbench.report.page import save_figures, write_report
from grokbench.report.verdicts import verdict_table

__all__ = ["save_figures", "verdict_table", "write_report"]
