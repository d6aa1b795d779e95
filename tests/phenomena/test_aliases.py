"""What plugins written for version 0.1.0 import from `grokbench.phenomena`."""

from __future__ import annotations

import importlib

import pytest

from grokbench import phenomena, readout, theory
from grokbench.statistics import intervals


@pytest.mark.parametrize("name", ["Dynamic", "Thresholds", "capacities", "classify"])
def test_readings_are_still_there(name):
    assert getattr(readout, name) is getattr(phenomena, name)


def test_zones_and_critical_data_sizes_are_still_there():
    assert theory.zones is phenomena.zones
    assert readout.critical_data_sizes is phenomena.critical_data_sizes


@pytest.mark.parametrize(
    ("alias", "module"),
    [
        ("grokbench.phenomena.curves", "grokbench.readout"),
        ("grokbench.phenomena.intervals", "grokbench.statistics.intervals"),
    ],
)
def test_modules_are_still_there_under_their_former_names(alias, module):
    assert importlib.import_module(module) is importlib.import_module(alias)


def test_a_plugin_s_import_statements_still_work():
    from grokbench.phenomena.curves import canonical, settled
    from grokbench.phenomena.intervals import t_interval, welch_interval

    from grokbench.phenomena.dynamics import Dynamic, Thresholds, classify

    assert (readout.canonical, readout.settled) == (canonical, settled)
    assert (readout.Dynamic, readout.Thresholds, readout.classify) == (
        Dynamic,
        Thresholds,
        classify,
    )
    assert (intervals.t_interval, intervals.welch_interval) == (t_interval, welch_interval)
