"""grokbench trains small models over grids, and judges what papers claim about them.

This module has the public names. Each is imported when it is first used, so that `import grokbench`
takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grokbench.architectures.base import Architecture
    from grokbench.carried import carried_suite
    from grokbench.claims import Outcome, Verdict, score
    from grokbench.comparison import Comparison, compare
    from grokbench.definition import Options
    from grokbench.errors import (
        DataError,
        GrokbenchError,
        NotEnoughDataError,
        OptionsError,
        OutOfReachError,
        PluginError,
        ResultsError,
        SuiteError,
        UnknownNameError,
    )
    from grokbench.forecast import Forecast, plan_suite
    from grokbench.hookspecs import hookimpl
    from grokbench.measures.base import Measure, Snapshot
    from grokbench.optimizers.base import Optimizer
    from grokbench.phenomena.base import Detector, Drawing, Finding
    from grokbench.plugins import Plugins
    from grokbench.randomness import Streams
    from grokbench.record import ModelSize
    from grokbench.report import write_report
    from grokbench.session import Sitting, Watcher, run_suite
    from grokbench.store import open_results
    from grokbench.store.provenance import provenance
    from grokbench.suite import Suite, load_suite, parse_suite
    from grokbench.tasks.base import Examples, Features, Images, Task, Tokens
    from grokbench.tasks.images import ImageContents, ImageTask
    from grokbench.tasks.judging import CrossEntropy, SquaredError

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "Comparison",
    "CrossEntropy",
    "DataError",
    "Detector",
    "Drawing",
    "Examples",
    "Features",
    "Finding",
    "Forecast",
    "GrokbenchError",
    "ImageContents",
    "ImageTask",
    "Images",
    "Measure",
    "ModelSize",
    "NotEnoughDataError",
    "Optimizer",
    "Options",
    "OptionsError",
    "OutOfReachError",
    "Outcome",
    "PluginError",
    "Plugins",
    "ResultsError",
    "Sitting",
    "Snapshot",
    "SquaredError",
    "Streams",
    "Suite",
    "SuiteError",
    "Task",
    "Tokens",
    "UnknownNameError",
    "Verdict",
    "Watcher",
    "carried_suite",
    "compare",
    "hookimpl",
    "load_suite",
    "open_results",
    "parse_suite",
    "plan_suite",
    "provenance",
    "run_suite",
    "score",
    "write_report",
]

_HOMES = {
    "grokbench.architectures.base": ["Architecture"],
    "grokbench.carried": ["carried_suite"],
    "grokbench.claims": ["Outcome", "Verdict", "score"],
    "grokbench.comparison": ["Comparison", "compare"],
    "grokbench.definition": ["Options"],
    "grokbench.errors": [
        "DataError",
        "GrokbenchError",
        "NotEnoughDataError",
        "OutOfReachError",
        "OptionsError",
        "PluginError",
        "ResultsError",
        "SuiteError",
        "UnknownNameError",
    ],
    "grokbench.forecast": ["Forecast", "plan_suite"],
    "grokbench.hookspecs": ["hookimpl"],
    "grokbench.measures.base": ["Measure", "Snapshot"],
    "grokbench.optimizers.base": ["Optimizer"],
    "grokbench.phenomena.base": ["Detector", "Drawing", "Finding"],
    "grokbench.plugins": ["Plugins"],
    "grokbench.randomness": ["Streams"],
    "grokbench.record": ["ModelSize"],
    "grokbench.report": ["write_report"],
    "grokbench.session": ["Sitting", "Watcher", "run_suite"],
    "grokbench.store": ["open_results"],
    "grokbench.store.provenance": ["provenance"],
    "grokbench.suite": ["Suite", "load_suite", "parse_suite"],
    "grokbench.tasks.base": ["Examples", "Features", "Images", "Task", "Tokens"],
    "grokbench.tasks.images": ["ImageContents", "ImageTask"],
    "grokbench.tasks.judging": ["CrossEntropy", "SquaredError"],
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
