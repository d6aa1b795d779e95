"""The report: one page with every verdict, and a figure for every claim."""

from grokbench.report.page import save_figures, write_report

__all__ = ["save_figures", "write_report"]
