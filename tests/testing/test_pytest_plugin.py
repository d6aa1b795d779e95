"""The kit in pytest: a decorator, and `pytest --grokbench-plugin NAME`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grokbench.optimizers import AdamW
from grokbench.testing import checks_for

pytest_plugins = ["pytester"]

PLUGIN = '''
from grokbench import Optimizer, hookimpl


class Sign(Optimizer):
    """Steps of one length."""

    name = "sign"

    def start(self, parameters):
        pass

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        parameters.addcmul_(gradients.sign(), learning_rate, value=-1)


@hookimpl
def register_optimizers(register):
    register(Sign)
'''

DECORATED = """
from grokbench.testing import parametrize_with_checks
from mine import Sign


@parametrize_with_checks([Sign]{more})
def test_the_contract_is_kept(check):
    check()
"""

EXPECTED = ', expected_failures={"obeys_each_weight_decay": "runs without decay alone"}'


@pytest.fixture(scope="module", autouse=True)
def _torch_imported_whole():
    """pytester forgets what was imported within a test, and parts of torch import only once."""
    for check in checks_for(AdamW):
        check.result()


@pytest.fixture
def project(pytester):
    pytester.makepyfile(mine=PLUGIN)
    pytester.syspathinsert()
    return pytester


def run(project, *arguments):
    return project.runpytest_inprocess(
        "-p", "grokbench.testing.pytest_plugin", "-p", "no:cacheprovider", *arguments
    )


def test_the_decorator_makes_an_item_of_every_check(project):
    project.makepyfile(test_it=DECORATED.format(more=""))
    result = run(project, "-v")
    result.assert_outcomes(passed=15, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_the_contract_is_kept?optimizer-sign-goes_downhill? PASSED*"]
    )
    result.stdout.fnmatch_lines(["*18 of 18 parameters with weight decay do not shrink*"])


def test_a_failure_shows_the_test_and_the_fault_and_no_line_of_the_kit(project):
    project.makepyfile(test_it=DECORATED.format(more=""))
    result = run(project, "-k", "obeys_each_weight_decay")
    result.stdout.fnmatch_lines([">       check()", "E *Fault: 18 of 18 parameters*"])
    result.stdout.no_fnmatch_line("*self.examine()*")
    result.stdout.no_fnmatch_line("*raise Fault*")


def test_an_expected_failure_is_a_strict_xfail(project):
    project.makepyfile(test_it=DECORATED.format(more=EXPECTED))
    run(project).assert_outcomes(passed=15, xfailed=1)


def test_an_option_collects_the_checks_of_a_plugin_beside_its_own_tests(project):
    project.makepyfile(test_it="def test_mine(): pass")
    result = run(project, "--grokbench-plugin", "mine.py", "-v", "-k", "optimizer or mine")
    result.assert_outcomes(passed=16 + 6, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*collected 24 items*"])
    result.stdout.fnmatch_lines(["*optimizer sign: goes_downhill PASSED*"])
    result.stdout.fnmatch_lines(["*grokking depends on it; add parameters.addcmul_*"])


def test_a_class_that_is_wrong_about_its_examination_is_a_usage_error(project):
    text = PLUGIN.replace(
        'name = "sign"', 'name = "sign"\n    expected_failures = ["goes_downhill"]'
    )
    project.makepyfile(mine=text)
    result = run(project, "--grokbench-plugin", "mine.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--grokbench-plugin: Sign.expected_failures is *"])


def test_an_unknown_plugin_is_a_usage_error(project):
    result = run(project, "--grokbench-plugin", "adamv")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--grokbench-plugin: *did you mean 'adamw'*"])


def test_loading_the_plugin_imports_no_torch():
    script = (
        "import sys, grokbench.testing.pytest_plugin, grokbench.testing; "
        "print({'torch', 'xarray', 'hypothesis'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "set()\n" == done.stdout


def test_the_kit_works_without_pytest_and_hypothesis():
    script = (
        "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None; "
        "from grokbench.testing import checks_for; from grokbench.optimizers import AdamW; "
        "checks = [one for one in checks_for(AdamW) if 'process' not in one.name]; "
        "print({check.result().outcome.value for check in checks})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "{'ok'}\n" == done.stdout
