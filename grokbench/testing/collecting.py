"""Items that pytest collects because of an option, in addition to its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest


def collected(collector: pytest.Collector) -> Sequence[pytest.Item]:
    """A collector's items; they are reported to pytest, which then counts them as collected."""
    items = [one for one in collector.collect() if isinstance(one, pytest.Item)]
    report = pytest.CollectReport(collector.nodeid, "passed", None, list(items))
    collector.config.hook.pytest_collectreport(report=report)
    return items
