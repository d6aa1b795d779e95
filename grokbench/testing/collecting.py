"""Items that options of pytest add to those that it found itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest


def collected(collector: pytest.Collector) -> Sequence[pytest.Item]:
    """A collector's items, which pytest is told of, so that it counts them among those collected."""
    items = [one for one in collector.collect() if isinstance(one, pytest.Item)]
    report = pytest.CollectReport(collector.nodeid, "passed", None, list(items))
    collector.config.hook.pytest_collectreport(report=report)
    return items
