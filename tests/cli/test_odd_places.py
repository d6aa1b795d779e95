"""Files, folders and settings as users have them, and not as we would: each is read, or refused in words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from click.testing import Result

import grokbench as package
from grokbench.errors import SuiteError
from grokbench.store import open_results
from grokbench.store.results import write_results

ROOT = Path(package.__file__).parents[1]
Grokbench = Callable[..., Result]

TASK = """
import grokbench
from grokbench.tasks.modular import ModularAddition


class Mine(ModularAddition):
    name = "mine"


@grokbench.hookimpl
def register_tasks(register):
    register(Mine)
"""

LOUD = """
import atexit, os, subprocess
import grokbench
from grokbench.tasks.modular import ModularAddition

print("imported")
os.write(1, b"past Python's own stream")
atexit.register(print, "at the end")


class Loud(ModularAddition):
    name = "loud"

    def examples(self, data_size, streams):
        print("examples")
        subprocess.run(["echo", "a child"])
        return super().examples(data_size, streams)


@grokbench.hookimpl
def register_tasks(register):
    print("registered")
    register(Loud)
"""


def in_a_process(*words: str, **others: Any) -> subprocess.CompletedProcess[str]:
    """A Python that knows grokbench."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **others.pop("environment", {})}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, **others
    )


def test_a_byte_order_mark_is_no_part_of_a_suite(grokbench: Grokbench, suite: Path) -> None:
    suite.write_text(suite.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert "no mistakes" in grokbench("validate", suite).stdout
    assert "A suite for tests" in grokbench("list", "suites").stdout


def test_a_suite_given_as_a_plugin_is_refused(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("run", suite, "--plugin", suite)
    assert 2 == result.exit_code
    assert f"{suite} is no Python file; name a plugin's file, which ends in .py." in result.stderr
    assert not Path("results").exists()


def test_no_path_of_a_suite_or_plugin_is_unforeseen(grokbench: Grokbench, suite: Path) -> None:
    Path("loop.py").symlink_to("circle.py")
    Path("circle.py").symlink_to("loop.py")
    text = suite.read_text(encoding="utf-8")
    for name, told in (
        (r"\u0000.py", "plugins[0]: no file has a path with the character NUL"),
        ("loop.py", "loop.py"),
        ("a" * 300 + ".py", "File name too long"),
        ("nothing.txt", "there is no file"),
    ):
        suite.write_text(text.replace("plugin.py", name), encoding="utf-8")
        result = grokbench("validate", suite)
        assert 2 == result.exit_code
        assert told in result.stderr
    with pytest.raises(SuiteError, match="cannot be read: embedded null byte"):
        package.load_suite("\0.toml")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end")
def test_a_file_without_an_end_is_no_suite(grokbench: Grokbench) -> None:
    result = grokbench("validate", "/dev/zero")
    assert 2 == result.exit_code
    assert "has more than 16 MB; name a suite" in result.stderr


@pytest.mark.parametrize("number", ["1" * 5000, "0x" + "f" * 5000, "-" + "9" * 400])
def test_a_number_of_thousands_of_digits_is_a_mistake(
    grokbench: Grokbench, suite: Path, number: str
) -> None:
    text = suite.read_text(encoding="utf-8")
    for line in ("steps = 4", "seeds = 2", "at_most = 1.0"):
        changed = text.replace(line, f"{line.partition('=')[0]}= {number}", 1)
        suite.write_text(changed, encoding="utf-8")
        assert 2 == grokbench("validate", suite).exit_code
        assert 0 == grokbench("list", "suites").exit_code


def test_a_value_in_a_message_is_written_as_in_the_suite(grokbench: Grokbench, suite: Path) -> None:
    text = suite.read_text(encoding="utf-8").replace(
        "steps = 4", "steps = { most = 4, least = true }"
    )
    suite.write_text(text, encoding="utf-8")
    assert "not { most = 4, least = true }" in grokbench("validate", suite).stderr


def test_a_misspelt_place_gets_a_hint(grokbench: Grokbench, suite: Path) -> None:
    places = "places = { peek = [4], bottom = [8], recovery = [16] }"
    text = suite.read_text(encoding="utf-8").replace("[4, 8]", "[4, 8, 16]")
    text = text.replace('detector = "final_accuracy"', f'detector = "double_descent"\n{places}')
    suite.write_text(text, encoding="utf-8")
    told = grokbench("validate", suite).stderr
    assert "claims.hardly_anything.places.peek: unknown key; did you mean 'peak'?" in told


def test_json_is_json_whatever_a_plugin_prints(tmp_path: Path) -> None:
    """Also past Python's stream, and when Python ends."""
    (tmp_path / "loud.py").write_text(LOUD, encoding="utf-8")
    told = in_a_process(
        "-m", "grokbench", "list", "tasks", "--json", "--plugin", str(tmp_path / "loud.py")
    )
    assert "loud" in {row["name"] for row in json.loads(told.stdout)}, told.stderr
    for words in ("imported", "registered", "past Python", "at the end"):
        assert words in told.stderr


@pytest.mark.slow
def test_json_is_json_whatever_workers_and_their_children_print(suite: Path) -> None:
    Path("loud.py").write_text(LOUD, encoding="utf-8")
    text = suite.read_text(encoding="utf-8").replace("modular_addition", "loud")
    suite.write_text(text.replace('["plugin.py"]', '["plugin.py", "loud.py"]'), encoding="utf-8")
    told = in_a_process("-m", "grokbench", "plan", str(suite), "--jobs", "2", "--json")
    assert 0 == told.returncode, told.stderr
    assert 2 == len(json.loads(told.stdout)["missing"])
    assert "examples" in told.stderr
    assert "a child" in told.stderr


def test_a_plugin_may_import_the_file_beside_it(
    grokbench: Grokbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever grokbench is started, and also if Python does not search the working folder."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "the_name_of_it.py").write_text("NAME = 'helped'\n")
    text = f"import the_name_of_it\n{TASK}".replace('"mine"', "the_name_of_it.NAME")
    (folder / "mine.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    told = grokbench("list", "tasks", "--json", "--plugin", "plugins/mine.py")
    assert "helped" in {row["name"] for row in json.loads(told.stdout)}, told.stderr


def test_a_module_beside_a_plugin_is_never_taken_for_that_of_another_plugin(
    grokbench: Grokbench, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same_name.py").write_text(f"NAME = 'task_{name}'\n")
        text = f"import same_name\n{TASK}".replace('"mine"', "same_name.NAME")
        (tmp_path / name / f"plugin_{name}.py").write_text(text)
    files = [tmp_path / name / f"plugin_{name}.py" for name in ("one", "two")]
    told = grokbench("list", "plugins", "--plugin", files[0], "--plugin", files[1], "--json")
    del sys.modules["same_name"]
    rows = {Path(row["name"]).name: row for row in json.loads(told.stdout)}
    assert ["task task_one"] == rows["plugin_one.py"]["registers"]
    assert "rename the module beside the plugin" in rows["plugin_two.py"]["error"]


def test_a_notebooks_backend_does_not_keep_the_report_from_being_written() -> None:
    script = "import grokbench, os; grokbench.write_report; print(os.environ['MPLBACKEND'])"
    backend = "module://matplotlib_inline.backend_inline"
    told = in_a_process("-c", script, environment={"MPLBACKEND": backend})
    assert f"{backend}\n" == told.stdout, told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "script.py"])
def test_a_script_may_train_from_standard_input_and_without_a_guard(suite: Path, name: str) -> None:
    script = "import grokbench\nprint(grokbench.run_suite('small.toml', jobs=2).trained)\n"
    Path("script.py").write_text(script)
    told = in_a_process(name, input=script)
    assert "8\n" == told.stdout, told.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobs": 0},
        {"jobs": -1},
        {"seeds": 0},
        {"shard": (0, 2)},
        {"shard": (3, 2)},
        {"budget": -1.0},
    ],
)
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_written(
    suite: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        package.run_suite(suite, **wrong)  # type: ignore[arg-type]
    assert not Path("results").exists()


def test_a_second_dataset_in_the_folder_is_told(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    other = suite.with_name("other.toml")
    shutil.copy(suite, other)
    assert 0 == grokbench("run", other, "--jobs", 1, "--out", results).exit_code
    for command in (["score", results], ["check", results, "--suite", suite]):
        told = grokbench(*command)
        assert f"note: {results} also holds other.nc, the dataset of another suite" in told.stderr
    assert "also holds" not in grokbench("score", results / "other.nc").stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[1, 2", b'"text"', b""])
def test_a_damaged_verdicts_file_is_written_again(
    grokbench: Grokbench, results: Path, suite: Path, content: bytes
) -> None:
    whole = (results / "verdicts.json").read_bytes()
    (results / "verdicts.json").write_bytes(content)
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    assert whole == (results / "verdicts.json").read_bytes()


def test_a_results_folder_that_is_removed_during_training_is_told(suite: Path) -> None:
    class Removing(package.Watcher):
        """Removes the results when the first cohort is stored, as a person might."""

        def __init__(self) -> None:
            self.warnings: list[str] = []
            self.removed = False

        def finished(self, cohort: object, records: object) -> None:
            if not self.removed:
                self.removed = True
                shutil.rmtree("results/small")

        def warned(self, warning: str) -> None:
            self.warnings.append(warning)

    watcher = Removing()
    sitting = package.run_suite(suite, jobs=1, watcher=watcher)
    assert [
        "results/small was removed while its runs were trained" in one for one in watcher.warnings
    ] == [True]
    assert 4 == sitting.remaining
    assert 8 == package.run_suite(suite, jobs=1).trained + sitting.trained - 4
    assert bool((open_results("results/small")["addition"]["status"] == 1).all())


def without_status(tree: xr.DataTree) -> xr.DataTree:
    return xr.DataTree.from_dict(
        {
            "/": tree.to_dataset(),
            **{
                name: group.to_dataset().drop_vars("status")
                for name, group in tree.children.items()
            },
        }
    )


def without_parts(tree: xr.DataTree) -> xr.DataTree:
    del tree["addition"].attrs["parts"]
    return tree


def without_layout(tree: xr.DataTree) -> xr.DataTree:
    del tree.attrs["grokbench_schema"]
    return tree


def without_suite(tree: xr.DataTree) -> xr.DataTree:
    tree.attrs["grokbench"] = json.dumps({"sittings": []})
    return tree


@pytest.mark.parametrize(
    ("alter", "told"),
    [
        (without_status, "the variable `status` is missing"),
        (without_parts, "attribute `parts`: is no text"),
        (without_layout, "has no number of its layout"),
        (without_suite, "attribute `grokbench`: suite: is missing"),
    ],
)
def test_sealed_results_that_lack_something_are_refused_by_every_command(
    grokbench: Grokbench,
    results: Path,
    suite: Path,
    alter: Callable[[xr.DataTree], xr.DataTree],
    told: str,
) -> None:
    write_results(alter(open_results(results)), results / "small.nc")
    for command in (
        ["score", results],
        ["check", results],
        ["report", results],
        ["compare", results, results],
        ["plan", suite, "--no-measure"],
        ["run", suite, "--jobs", 1],
    ):
        result = grokbench(*command)
        assert 2 == result.exit_code, command
        assert told in result.stderr, command
