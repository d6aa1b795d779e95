"""The report: one page with every verdict, and a figure for every claim."""

from grokbench.report import library  # noqa: F401 (before anything else imports matplotlib)
from grokbench.report.page import save_figures, write_report

__all__ = ["save_figures", "write_report"]
