"""`pytest --grokbench-suite`: one item for every claim of a suite."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import grokbench
import grokbench.session
from tests.cli.conftest import CRASHING, PLUGIN, SUITE

pytest_plugins = ["pytester"]

CLAIM = """
[claims.{name}]
statement = "It is as it is."
source = "Somebody 2020, Fig. 1"
detector = "final_accuracy"
experiment = "addition"
rule = {{ {rule} }}
minimum_seeds = {seeds}
expect = "{expect}"
"""

HOLDS, FAILS = "at_most = 1.0", "at_least = 1.1"


def claims(**given: str | tuple[str, str, int]) -> str:
    """The small suite with these claims: name → rule, or (rule, what is expected, minimum seeds)."""
    text = SUITE.split("[claims.")[0]
    for name, one in given.items():
        rule, expect, seeds = (one, "reproduced", 2) if isinstance(one, str) else one
        text += CLAIM.format(name=name, rule=rule, expect=expect, seeds=seeds)
    return text


@pytest.fixture
def project(pytester):
    """A folder with a suite and its plugin."""
    pytester.makepyfile(plugin=PLUGIN)
    pytester.makefile(".toml", small=SUITE)
    return pytester


def run(project, *arguments: str):
    return project.runpytest_inprocess(
        "-p", "grokbench.testing.pytest_plugin", "-p", "no:cacheprovider",
        "--grokbench-suite", "small.toml", "--grokbench-jobs", "1", *arguments,
    )  # fmt: skip


def test_a_claim_is_an_item_and_is_trained_once(project) -> None:
    first = run(project, "-v")
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(["*small.toml: runs to train: 8*", "*small.toml::hardly_anything*"])
    again = run(project)
    again.assert_outcomes(passed=1)
    assert "runs to train" not in again.stdout.str()


def test_results_are_where_run_has_them_or_where_they_are_asked_for(project) -> None:
    run(project)
    assert (project.path / "results" / "small" / "small.nc").is_file()
    run(project, "--grokbench-results", "elsewhere")
    assert (project.path / "elsewhere" / "small" / "small.nc").is_file()


def test_a_failure_shows_the_finding_its_interval_and_the_cells_behind_it(project) -> None:
    project.makefile(".toml", small=claims(fine=HOLDS, wrong=FAILS))
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "not reproduced, where the suite expects reproduced: wrong",
            "*It is as it is. (Somebody 2020, Fig. 1)",
            "*effect ≥*1.1, from 2 seeds or more",
            "*effect * [[]*, *[]] validation accuracy, 2 seeds",
            "*because *seen [[]once[]]*",
            "*cells     addition:",
            "*data_size 10, model_size 4: runs 2; train accuracy * (* to *); validation accuracy *",
        ]
    )


def test_an_undecided_claim_fails_in_its_own_words(project) -> None:
    project.makefile(".toml", small=claims(few=(HOLDS, "reproduced", 3)))
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["undecided, where the suite expects reproduced: few"])


def test_what_the_suite_expects_is_what_passes(project) -> None:
    known = claims(
        known=(FAILS, "not reproduced", 2),
        open=(HOLDS, "undecided", 3),
        recovered=(HOLDS, "not reproduced", 2),
    )
    project.makefile(".toml", small=known)
    result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["reproduced, where the suite expects not reproduced: recovered"])


def test_a_claim_that_holds_on_what_is_left_of_crashed_runs_fails_as_check_does(project) -> None:
    """A claim on the cells that are whole passes."""
    whole = claims(all=HOLDS, whole=HOLDS).replace("modular_addition", "fragile")
    project.makepyfile(fragile=CRASHING)
    project.makefile(
        ".toml",
        small=whole.replace('"plugin.py"', '"plugin.py", "fragile.py"')
        + "where = { data_size = 10 }",
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*collected 2 items*",
            "reproduced, as the suite expects, but 4 runs crashed: all",
            "  crashed   *it breaks at fifteen*",
        ]
    )


def test_a_claim_that_was_changed_after_training_is_warned_of_and_fails_if_asked(project) -> None:
    project.makefile(".toml", small=claims(a=HOLDS))
    run(project).assert_outcomes(passed=1)
    project.makefile(".toml", small=claims(a="at_most = 1.5"))
    mark = "rule changed after training (was ≤ 1)"
    warned = run(project, "--junit-xml", "j.xml", "-W", "default")
    warned.assert_outcomes(passed=1, warnings=1)
    warned.stdout.fnmatch_lines([f"*PytestWarning: a: {mark}"])
    written = (project.path / "j.xml").read_text(encoding="utf-8")
    assert f'name="changed_after_training" value="{mark}"' in written
    failed = run(project, "--grokbench-strict-rules", "-W", "default")
    failed.assert_outcomes(failed=1, warnings=1)
    failed.stdout.fnmatch_lines(
        [f"reproduced, as the suite expects, but {mark}: a", f"  changed   {mark}"]
    )


def test_collecting_trains_nothing(project) -> None:
    result = run(project, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["small.toml::hardly_anything"])
    assert not (project.path / "results").exists()


def test_only_what_the_selected_claims_need_is_trained(project) -> None:
    """The suite has two experiments of eight runs; the claim on one of them is deselected."""
    text = claims(one=HOLDS, two=HOLDS)
    experiment = text[text.index("[experiments.addition]") : text.index("[claims.")]
    other = experiment.replace("addition]", "other]").replace("[10, 15]", "[12, 14]")
    head, _, last = text.rpartition('experiment = "addition"')
    project.makefile(".toml", small=f'{head}experiment = "other"{last}{other}')
    result = run(project, "-k", "two", "-v")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*runs to train: 8*"])
    done = grokbench.open_results(project.path / "results" / "small")
    assert [1, 0] == [int((done[name].status == 1).all()) for name in ("other", "addition")]


def test_two_suites_stand_beside_tests_of_ones_own(project) -> None:
    project.makefile(".toml", second=SUITE)
    project.makepyfile(test_mine="def test_mine(): pass")
    result = run(project, "--grokbench-suite", "second.toml", "-v")
    result.assert_outcomes(passed=3)
    assert (project.path / "results" / "second" / "second.nc").is_file()


@pytest.mark.parametrize("text", ["nothing = 1", None], ids=["mistakes", "missing"])
def test_a_suite_that_cannot_be_used_is_a_usage_error(project, text: str | None) -> None:
    path = project.path / "small.toml"
    path.unlink()
    if text:
        path.write_text(text, encoding="utf-8")
    result = run(project)
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--grokbench-suite: *small.toml*"])


def test_results_that_cannot_be_used_fail_every_claim_without_a_traceback(project) -> None:
    project.makefile(".toml", small=claims(one=HOLDS, two=HOLDS))
    run(project)
    damaged = project.path / "results" / "small" / "small.nc"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    result = run(project)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*small.nc: was altered or damaged*"])
    assert "Traceback" not in result.stdout.str()


def test_a_plain_start_of_pytest_imports_neither_torch_nor_xarray(tmp_path: Path) -> None:
    script = (
        "import sys, pytest; "
        "pytest.main(['-p', 'grokbench.testing.pytest_plugin', '-p', 'no:cacheprovider', '.']); "
        "print({'torch', 'xarray', 'grokbench.suite', 'grokbench.session'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert "set()" == done.stdout.splitlines()[-1]


def test_the_plugin_is_an_entry_point_that_can_be_named_by_its_module_too() -> None:
    project = Path(grokbench.__file__).parents[1] / "pyproject.toml"
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]
    module = "grokbench.testing.pytest_plugin"
    assert {module: module} == declared["pytest11"]
