"""What is changed after training is marked everywhere, and `check --strict-rules` fails on it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from grokbench import open_results, provenance, run_suite
from grokbench.plan import Cohort
from grokbench.session import Watcher
from tests.cli.conftest import PLUGIN

Grokbench = Callable[..., Result]

SECOND = """
[claims.second]
statement = "Four steps do not teach everything."
detector = "final_accuracy"
experiment = "addition"
rule = { at_most = 0.9 }
minimum_seeds = 2
"""


def edited(suite: Path, *pairs: tuple[str, str]) -> Path:
    """Another suite file, with texts replaced."""
    text = suite.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = suite.with_name("edited.toml")
    path.write_text(text, encoding="utf-8")
    return path


def changes(grokbench: Grokbench, results: Path, *options: object) -> dict[str, list[str]]:
    """Claim → what `score --json` says was changed."""
    told = grokbench("score", results, *options, "--json")
    assert 0 == told.exit_code, told.output
    return {one["claim"]: one.get("changes", []) for one in json.loads(told.stdout)["claims"]}


def assert_marked_everywhere(
    grokbench: Grokbench, results: Path, mark: str, *options: object
) -> None:
    """In each form of output, and with `--strict-rules` as a failure of its own."""
    for command in (("score", results), ("check", results)):
        told = grokbench(*command, *options)
        assert 0 == told.exit_code, told.output
        assert "reproduced (!)" in told.stdout
        assert f"(!) hardly_anything: {mark}" in " ".join(told.stdout.split())
        assert "changed after training: 1 claim" in told.stdout
    assert [mark] == changes(grokbench, results, *options)["hardly_anything"]
    files = ("--junit-xml", "j.xml", "--summary", "s.md")
    assert 0 == grokbench("check", results, *options, *files).exit_code
    loose = Path("j.xml").read_text(encoding="utf-8")
    assert f"\n{mark}\n" in loose
    assert 'failures="0"' in loose
    assert f"- **hardly_anything**: {mark}" in Path("s.md").read_text(encoding="utf-8")
    assert 5 == grokbench("check", results, *options, *files, "--strict-rules").exit_code
    by_variable = grokbench("check", results, *options, GROKBENCH_CHECK_STRICT_RULES="1")
    assert 5 == by_variable.exit_code
    strict = Path("j.xml").read_text(encoding="utf-8")
    assert f'<failure message="{mark}" type="changed_after_training">' in strict
    assert 0 == grokbench("report", results, *options, "--output", "page.html").exit_code
    assert 2 == Path("page.html").read_text(encoding="utf-8").count(f">{mark}<")


def test_what_is_as_it_was_declared_is_not_mentioned(grokbench: Grokbench, results: Path) -> None:
    told = grokbench(
        "check", results, "--strict-rules", "--junit-xml", "j.xml", "--summary", "s.md"
    )
    assert 0 == told.exit_code
    assert f"Reading {results} …\n" == told.stderr
    page = grokbench("report", results, "--output", "page.html")
    written = [Path(name).read_text(encoding="utf-8") for name in ("j.xml", "s.md")]
    for text in (told.stdout, *written, page.output):
        assert "after training" not in text
        assert "(!)" not in text
    assert {"hardly_anything": []} == changes(grokbench, results)
    assert "changes" not in (results / "verdicts.json").read_text(encoding="utf-8")


def test_a_rule_that_was_loosened_is_marked_everywhere(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    loose = edited(suite, ("at_most = 1.0", "at_most = 1.5"))
    mark = "rule changed after training (was ≤ 1)"
    assert_marked_everywhere(grokbench, results, mark, "--suite", loose)


def test_a_rule_that_was_loosened_in_the_suites_own_file_is_marked(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    """`run` finds nothing to train, but takes the new text into the dataset."""
    shutil.copy(edited(suite, ("at_most = 1.0", "at_most = 1.5")), suite)
    told = grokbench("run", suite, "--jobs", 1)
    assert "(!) hardly_anything: rule changed after training (was ≤ 1)" in told.stdout
    assert_marked_everywhere(grokbench, results, "rule changed after training (was ≤ 1)")
    shutil.copy(edited(suite, ("at_most = 1.5", "at_most = 1.0")), suite)
    assert "(!)" not in grokbench("run", suite, "--jobs", 1).stdout


def test_a_plugin_that_was_edited_is_marked_everywhere_and_warned_of(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    plugin = suite.with_name("plugin.py")
    plugin.write_text(PLUGIN.replace("cells.mean()", "cells.max()"), encoding="utf-8")
    assert_marked_everywhere(grokbench, results, "plugin plugin.py changed after training")
    for command in (("score", results), ("check", results), ("run", suite)):
        told = grokbench(*command)
        assert 1 == told.stderr.count("warning: plugin plugin.py was changed after runs had been")
    plugin.write_text(PLUGIN, encoding="utf-8")
    assert "(!)" not in grokbench("score", results).output


def test_training_on_with_an_edited_plugin_is_warned_of_before_and_stays_marked(
    grokbench: Grokbench, suite: Path
) -> None:
    """The first seed was trained with the former file, the second one with the edited file."""
    assert 0 == grokbench("run", suite, "--jobs", 1, "--seeds", 1).exit_code
    suite.with_name("plugin.py").write_text(f"{PLUGIN}\n# edited\n", encoding="utf-8")
    told = grokbench("run", suite, "--jobs", 1)
    warning, trained = "warning: plugin plugin.py was changed", "1/2 cohorts"
    assert told.output.index(warning) < told.output.index(trained)
    marks = {"hardly_anything": ["plugin plugin.py changed after training"]}
    assert marks == changes(grokbench, Path("results/small"))


def test_a_plugin_in_another_place_with_the_same_bytes_is_the_same(
    grokbench: Grokbench, results: Path, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROKBENCH_SCORE_PLUGIN")
    suite.with_name("plugin.py").rename(suite.with_name("renamed.py"))
    renamed = edited(suite, ('"plugin.py"', '"renamed.py"'))
    assert {"hardly_anything": []} == changes(grokbench, results, "--suite", renamed)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (
            [("minimum_seeds = 2", "minimum_seeds = 1")],
            ["minimum_seeds changed after training (was 2)"],
        ),
        (
            [("minimum_seeds = 2", "minimum_seeds = 2\nwhere = { model_size = [4] }")],
            ["where changed after training (was model_size = all)"],
        ),
        (
            [("model_sizes = [4, 8]", "model_sizes = [4]")],
            ["model_size of addition changed after training (was 4, 8)"],
        ),
        (
            [("seeds = 2\n\n", "seeds = 3\n\n")],
            ["seed of addition changed after training (was 0, 1)"],
        ),
        (
            [
                ('detector = "final_accuracy"', 'detector = "norm_change"'),
                ("at_most = 1.0", "at_least = -9.0"),
            ],
            [
                "rule changed after training (was ≤ 1)",
                "detector changed after training (was final_accuracy)",
            ],
        ),
        ([("claims.hardly_anything", "claims.renamed")], []),
        (
            [
                ("Four steps", "A few steps"),
                ("minimum_seeds", 'expect = "undecided"\nminimum_seeds'),
            ],
            [],
        ),
        (
            [("claims.hardly_anything", "claims.new"), ("at_most = 1.0", "at_most = 1.5")],
            ["declared after its runs were trained"],
        ),
    ],
    ids=["minimum_seeds", "where", "grid", "seeds", "detector", "renamed", "words", "new"],
)
def test_a_mark_names_what_changed_and_what_it_was(
    grokbench: Grokbench,
    results: Path,
    suite: Path,
    pairs: list[tuple[str, str]],
    expected: list[str],
) -> None:
    (found,) = changes(grokbench, results, "--suite", edited(suite, *pairs)).values()
    assert expected == found


def test_options_are_named_and_a_new_version_of_a_detector_is_a_change(
    grokbench: Grokbench, suite: Path
) -> None:
    plugin = suite.with_name("plugin.py")
    with_option = PLUGIN.replace(
        '    name = "final_accuracy"',
        '    name = "final_accuracy"\n    version = {version}\n\n'
        "    class Options(grokbench.Options):\n        factor: float = 1.0\n{more}",
    )
    plugin.write_text(with_option.format(version=1, more=""), encoding="utf-8")
    assert 0 == grokbench("run", suite, "--jobs", 1, "--seeds", 2).exit_code
    new_option = "        exponent: int = 1\n"
    plugin.write_text(with_option.format(version=1, more=new_option), encoding="utf-8")
    edits = "plugin plugin.py changed after training"
    assert {"hardly_anything": [edits]} == changes(grokbench, Path("results/small"))
    plugin.write_text(with_option.format(version=2, more=new_option), encoding="utf-8")
    other = edited(
        suite,
        ('detector = "final_accuracy"', 'detector = { name = "final_accuracy", factor = 2.0 }'),
    )
    assert {
        "hardly_anything": [
            "version of the detector changed after training (was 1)",
            "detector options changed after training (were factor = 1.0)",
            edits,
        ]
    } == changes(grokbench, Path("results/small"), "--suite", other)


def test_a_claim_may_be_added_with_runs_of_its_own_but_not_after_its_runs(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    text = suite.read_text(encoding="utf-8")
    experiment = text[text.index("[experiments.addition]") : text.index("[claims.")]
    other = experiment.replace("addition]", "other]").replace("[10, 15]", "[12]")
    third = SECOND.replace("second", "third").replace('"addition"', '"other"')
    suite.write_text(f"{text}{SECOND}{third}{other}", encoding="utf-8")
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    late = ["declared after its runs were trained"]
    assert {"hardly_anything": [], "second": late, "third": []} == changes(grokbench, results)


def test_fewer_claims_than_declared_share_the_probability_of_error(
    grokbench: Grokbench, suite: Path
) -> None:
    alone = suite.read_text(encoding="utf-8")
    suite.write_text(alone + SECOND, encoding="utf-8")
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    suite.write_text(alone, encoding="utf-8")
    fewer = ["judged with fewer claims than declared (there were 2)"]
    asked = ("--suite", suite)
    assert {"hardly_anything": fewer} == changes(grokbench, Path("results/small"), *asked)


def test_the_runs_of_another_recipe_are_judged_by_their_own_declaration(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    """New runs, trained under the new rule: the former runs are not looked at."""
    shutil.copy(
        edited(suite, ("steps = 4", "steps = 6"), ("at_most = 1.0", "at_most = 1.5")), suite
    )
    assert "(!)" not in grokbench("run", suite, "--jobs", 1).output
    assert {"hardly_anything": []} == changes(grokbench, results)
    former = edited(suite, ("steps = 6", "steps = 4"))
    told = grokbench("run", former, "--jobs", 1, "--out", results)
    assert "8 runs already trained and stored" in told.output
    assert "(!) hardly_anything: rule changed after training (was ≤ 1)" in told.output


def test_runs_of_an_older_grokbench_are_judged_as_before(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    """No mark; `check` says that a rule cannot be compared, where the suite's text is another one."""
    forget_declarations(results)
    told = grokbench("check", results, "--strict-rules")
    assert (0, f"Reading {results} …\n") == (told.exit_code, told.stderr)
    loose = edited(suite, ("at_most = 1.0", "at_most = 1.5"))
    assert {"hardly_anything": []} == changes(grokbench, results, "--suite", loose)
    for options, code in (((), 0), (("--strict-rules",), 5)):
        told = grokbench("check", results, "--suite", loose, *options)
        assert code == told.exit_code
        assert "The rules were not stored with 8 runs of an older grokbench" in told.stderr


def forget_declarations(results: Path) -> None:
    """Write the dataset as a grokbench without declarations would have written it."""
    from grokbench.store.results import write_results

    tree = open_results(results)
    told = provenance(tree)
    del told["declarations"]
    for sitting in told["sittings"]:
        del sitting["plugin_sha256"]
    tree.attrs["grokbench"] = json.dumps(told)
    write_results(tree, results / "small.nc")
    shutil.rmtree(results / "records")


def test_compare_marks_the_side_that_was_changed(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    shutil.copytree(results, "other")
    shutil.copy(edited(suite, ("at_most = 1.0", "at_most = 1.5")), suite)
    assert 0 == grokbench("run", suite, "--out", "other").exit_code
    told = grokbench("compare", results, "other")
    assert "(!) hardly_anything: B, rule changed after training (was ≤ 1)" in told.stdout
    document = json.loads(grokbench("compare", results, "other", "--json").stdout)
    (pair,) = document["verdicts"]
    assert ([], 1) == (pair["first"]["changes"], len(pair["second"]["changes"]))


def test_a_claim_that_fails_says_more_than_its_change(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    path = edited(suite, ("at_most = 1.0", "at_least = 1.1"))
    assert 1 == grokbench("check", results, "--suite", path, "--strict-rules").exit_code


def test_looks_that_were_added_to_a_sequential_suite_are_marked(
    grokbench: Grokbench, suite: Path
) -> None:
    text = suite.read_text(encoding="utf-8").replace("seeds = 2\n\n", "\n")
    looks = "[sequential]\nlooks = [2, 3]\nfirst_seed = 7\n\n[recipes.short]"
    suite.write_text(text.replace("[recipes.short]", looks), encoding="utf-8")
    assert "(!)" not in grokbench("run", suite, "--jobs", 1).output
    assert {"hardly_anything": []} == changes(grokbench, Path("results/small"))
    path = edited(suite, ("looks = [2, 3]", "looks = [2, 3, 9]"))
    was = "looks = 2, 3"
    (found,) = changes(grokbench, Path("results/small"), "--suite", path).values()
    assert [f"[sequential] changed after training (was {was})"] == found


class Interrupts(Watcher):
    """Presses Ctrl-C once an accuracy has been shown."""

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        raise KeyboardInterrupt


def test_a_rule_that_was_loosened_while_the_first_runs_were_interrupted_is_marked(
    grokbench: Grokbench, suite: Path
) -> None:
    assert run_suite(suite, jobs=1, watcher=Interrupts()).interrupted
    loose = edited(suite, ("at_most = 1.0", "at_most = 1.5"))
    shutil.copy(loose, suite)
    told = grokbench("run", suite, "--jobs", 1)
    assert 0 == told.exit_code
    assert "(!) hardly_anything: rule changed after training (was ≤ 1)" in told.stdout


HELPED = """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import helper_of_the_detector
"""


def test_a_module_beside_a_plugin_that_was_edited_is_marked(
    grokbench: Grokbench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    plugin, helper = suite.with_name("plugin.py"), suite.with_name("helper_of_the_detector.py")
    plugin.write_text(HELPED + PLUGIN, encoding="utf-8")
    helper.write_text("import helper_of_the_helper\n", encoding="utf-8")
    suite.with_name("helper_of_the_helper.py").write_text("weight = 1\n", encoding="utf-8")
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    assert {"hardly_anything": []} == changes(grokbench, Path("results/small"))
    suite.with_name("unrelated.py").write_text("weight = 2\n", encoding="utf-8")
    assert {"hardly_anything": []} == changes(grokbench, Path("results/small"))
    suite.with_name("helper_of_the_helper.py").write_text("weight = 2\n", encoding="utf-8")
    mark = "plugin plugin.py changed after training"
    assert {"hardly_anything": [mark]} == changes(grokbench, Path("results/small"))


KINDS = {
    "task": """
from grokbench.tasks.modular import ModularAddition


class Mine(ModularAddition):
    name = "mine"
""",
    "architecture": """
from grokbench.architectures.transformer import Dense


class Mine(Dense):
    name = "mine"
""",
    "optimizer": """
from grokbench.optimizers.sgd import SGD


class Mine(SGD):
    name = "mine"
""",
    "measure": """
class Mine(grokbench.Measure):
    name = "mine"
    quantities = {"one": "the number 1"}

    def measure(self, snapshot):
        return {"one": 1.0}
""",
}


def test_an_edit_of_any_kind_of_definition_is_warned_of_wherever_results_are_judged(
    grokbench: Grokbench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file holds each kind; the detector is in a package, whose version alone differs."""
    for kind, text in KINDS.items():
        register = f"@grokbench.hookimpl\ndef register_{kind}s(register):\n    register(Mine)\n"
        Path(f"{kind}.py").write_text(f"import grokbench\n{text}\n\n{register}", encoding="utf-8")
    for command in ("SCORE", "CHECK", "REPORT", "COMPARE"):
        monkeypatch.delenv(f"GROKBENCH_{command}_PLUGIN")
    site = Path("site").absolute()
    site.mkdir()
    (site / "acme_detector.py").write_text(PLUGIN, encoding="utf-8")
    about = site / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[grokbench]\nacme = acme_detector\n")
    monkeypatch.syspath_prepend(site)
    text = suite.read_text(encoding="utf-8")
    for old, new in (
        ('["plugin.py"]', json.dumps([f"{kind}.py" for kind in KINDS])),
        ('"adamw"', '"mine"'),
        ('"modular_addition"', '"mine"'),
        ('"dense"', '"mine"\nmeasures = ["mine"]'),
    ):
        assert old in text
        text = text.replace(old, new)
    suite.write_text(text, encoding="utf-8")
    told = grokbench("run", suite, "--jobs", 1)
    assert 0 == told.exit_code, told.output
    results = Path("results/small")
    (sitting,) = provenance(open_results(results))["sittings"]
    assert "1.0" == sitting["plugins"]["acme"]
    files = {str(Path(f"{kind}.py").resolve()) for kind in KINDS}
    assert files | {"acme"} <= sitting["plugin_sha256"].keys()
    assert "Reading results/small …\n" == grokbench("score", results, "--suite", suite).stderr

    for kind in KINDS:
        with Path(f"{kind}.py").open("a", encoding="utf-8") as file:
            file.write("# edited\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.1\n")
    about.rename(site / "acme-1.1.dist-info")
    names = [*(f"{kind}.py" for kind in KINDS), "acme (1.0 at training, 1.1 now)"]
    for command in (
        ("score", results, "--suite", suite),
        ("check", results, "--suite", suite),
        ("report", results, "--suite", suite),
        ("compare", results, results, "--suite", suite),
        ("run", suite, "--jobs", 1),
    ):
        told = grokbench(*command)
        assert 0 == told.exit_code, told.output
        for name in names:
            assert f"warning: plugin {name} was changed after runs had been" in told.stderr
    # The package is installed, so results that are read without their suite are compared as well.
    assert (
        "plugin acme (1.0 at training, 1.1 now) was changed" in grokbench("score", results).stderr
    )
    (marks,) = changes(grokbench, results, "--suite", suite).values()
    assert {f"plugin {name} changed after training" for name in names} == set(marks)
