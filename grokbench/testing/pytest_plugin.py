"""`pytest --grokbench-plugin NAME`: one item for every check of a plugin, beside its own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from grokbench.testing.collecting import collected

if TYPE_CHECKING:
    from grokbench.testing.conformance.checks import Check

pytest_plugins = ["grokbench.testing.claims_as_tests"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("grokbench").addoption(
        "--grokbench-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="examine a grokbench plugin (a package, a .py file, or a definition's name), with one item "
        "for each check of `grokbench test-plugin NAME`",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    for name in config.getoption("--grokbench-plugin"):
        title = f"grokbench-plugin {name}"
        items.extend(collected(Conformance.from_parent(session, name=title, plugin=name)))


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
        from grokbench.testing.conformance.checks import Fault

        super().__init__(**rest)
        self.check = check
        if check.expected:
            self.add_marker(pytest.mark.xfail(raises=Fault, reason=check.expected, strict=True))

    def runtest(self) -> None:
        if note := self.check():
            self.add_report_section("call", "grokbench", note)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from grokbench.testing.conformance.checks import Fault

        if isinstance(excinfo.value, Fault):
            return f"{self.check.promise.sentence}.\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, self.check.id
