"""pytest items for the checks of a plugin, and for the claims of a suite.

`pytest --grokbench-plugin NAME` has one item for every check, and `pytest --grokbench-suite SUITE`
one for every claim, beside the tests of one's own. grokbench is imported when an option is used.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from grokbench.session import Sitting
    from grokbench.suite import Claim, Suite
    from grokbench.testing.conformance.checks import Check


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grokbench")
    group.addoption(
        "--grokbench-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="examine a grokbench plugin (a package, a .py file, or a definition's name), with one "
        "item for each check of `grokbench test-plugin NAME`",
    )
    group.addoption(
        "--grokbench-suite",
        action="append",
        default=[],
        metavar="FILE",
        help="test the claims of a suite, one item for each; missing runs of their experiments are "
        "trained; may be given several times",
    )
    group.addoption(
        "--grokbench-strict-rules",
        action="store_true",
        help="fail on a claim whose rule, selection or plugin was changed after its runs were trained "
        "[default: a warning]",
    )
    group.addoption(
        "--grokbench-results",
        default="results",
        metavar="DIR",
        help="the folder of results, in which each suite has a subfolder of its name, as for "
        "`grokbench run` [default: results]",
    )
    group.addoption(
        "--grokbench-jobs",
        type=int,
        metavar="N",
        help="worker processes to train with [default: one for each CPU core]",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    collectors: list[pytest.Collector] = []
    for name in config.getoption("--grokbench-plugin"):
        title = f"grokbench-plugin {name}"
        collectors.append(Conformance.from_parent(session, name=title, plugin=name))
    for name in config.getoption("--grokbench-suite"):
        path = config.invocation_params.dir / name
        collectors.append(SuiteFile.from_parent(session, path=path))
    for collector in collectors:
        found = list(collector.collect())
        items += [one for one in found if isinstance(one, pytest.Item)]
        # pytest counts as collected what it is told of in a report.
        report = pytest.CollectReport(collector.nodeid, "passed", None, found)
        config.hook.pytest_collectreport(report=report)


class Conformance(pytest.Collector):
    """A plugin that is examined."""

    def __init__(self, *, plugin: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.plugin = plugin

    def collect(self) -> list[pytest.Item]:
        from grokbench.errors import PluginError
        from grokbench.testing.conformance.kit import checks_of_plugin

        try:
            checks = checks_of_plugin(self.plugin)
        except PluginError as error:
            raise pytest.UsageError(f"--grokbench-plugin: {error}") from None
        return [CheckItem.from_parent(self, name=check.id, check=check) for check in checks]


class CheckItem(pytest.Item):
    """One check."""

    def __init__(self, *, check: Check, **rest: Any) -> None:
        super().__init__(**rest)
        self.check = check
        for mark in check.marks():
            self.add_marker(mark)

    def runtest(self) -> None:
        if note := self.check():
            self.add_report_section("call", "grokbench", note)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from grokbench.plain import on_one_line
        from grokbench.testing.conformance.checks import Fault

        if isinstance(excinfo.value, Fault):
            return f"{self.check.promise.sentence}.\n{on_one_line(excinfo.value)}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, self.check.id


class SuiteFile(pytest.File):
    """A suite. Its runs are trained once, when the first of its claims is tested."""

    def collect(self) -> list[ClaimItem]:
        claims = self.suite.claims.items()
        return [ClaimItem.from_parent(self, name=name, claim=claim) for name, claim in claims]

    @cached_property
    def suite(self) -> Suite:
        from grokbench.errors import GrokbenchError
        from grokbench.suite import load_suite

        try:
            return load_suite(self.path)
        except OSError as error:
            raise pytest.UsageError(f"--grokbench-suite: {self.path}: {error.strerror}") from None
        except GrokbenchError as error:
            raise pytest.UsageError(f"--grokbench-suite: {error}") from None

    @cached_property
    def trained(self) -> Sitting | Exception:
        """The results that the selected claims need, or the error that prevented them."""
        from grokbench.errors import GrokbenchError
        from grokbench.session import run_suite

        selected = [one for one in self.session.items if isinstance(one, ClaimItem)]
        claims = [one.claim for one in selected if one.parent is self]
        needed = {name for claim in claims for name in claim.experiments.values()}
        config = self.config
        folder = config.invocation_params.dir / config.getoption("--grokbench-results")
        try:
            sitting = run_suite(
                self.suite,
                folder / self.suite.name,
                only=[name for name in self.suite.experiments if name in needed],
                jobs=config.getoption("--grokbench-jobs"),
                watcher=announcing(config, self.name),
            )
        except GrokbenchError as error:
            return error
        if sitting.interrupted:
            raise KeyboardInterrupt
        return sitting


def announcing(config: pytest.Config, name: str) -> Any:
    """A watcher that writes on the terminal how many runs will be trained: this may take long."""
    from grokbench.session import Watcher

    class Announcing(Watcher):
        def planned(self, plan: Any, wanted: Any) -> None:
            reporter = config.pluginmanager.get_plugin("terminalreporter")
            capture = config.pluginmanager.get_plugin("capturemanager")
            runs = sum(len(cohort.runs) for cohort in wanted)
            if runs and reporter and capture:
                with capture.global_and_fixture_disabled():
                    reporter.ensure_newline()
                    reporter.write_line(f"grokbench: {name}: runs to train: {runs}")

    return Announcing()


class ClaimItem(pytest.Item):
    """One claim."""

    parent: SuiteFile

    def __init__(self, *, claim: Claim, **rest: Any) -> None:
        super().__init__(**rest)
        self.claim = claim

    def runtest(self) -> None:
        from grokbench.plain import on_one_line
        from grokbench.testing.claims_as_tests import UnexpectedVerdict, explained, measured

        if isinstance(self.parent.trained, Exception):
            raise self.parent.trained
        sitting = self.parent.trained
        (verdict,) = (one for one in sitting.verdicts if one.claim.name == self.claim.name)
        self.user_properties += measured(verdict)
        for change in verdict.changes:
            told = on_one_line(f"{self.claim.name}: {change}")
            warnings.warn(pytest.PytestWarning(told), stacklevel=1)
        strict = self.config.getoption("--grokbench-strict-rules")
        if wrong := explained(verdict, sitting, strict_rules=strict):
            raise UnexpectedVerdict(wrong)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from grokbench.errors import GrokbenchError, lines_of
        from grokbench.testing.claims_as_tests import UnexpectedVerdict

        if isinstance(excinfo.value, UnexpectedVerdict):
            return str(excinfo.value)
        if isinstance(excinfo.value, GrokbenchError):
            return "\n".join(lines_of(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.claim.name}"
