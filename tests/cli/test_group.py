"""The command line as a whole, mostly in a fresh process, because what is imported matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

import grokbench as package
from grokbench.cli import cli

ROOT = Path(package.__file__).parents[1]
HEAVY = {"torch", "xarray", "pydantic", "scipy", "numpy", "netCDF4", "matplotlib", "rich"}
COMMANDS = [
    "check",
    "compare",
    "list",
    "new-plugin",
    "plan",
    "report",
    "run",
    "score",
    "test-plugin",
    "validate",
]


def in_a_fresh_process(
    *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`grokbench …`, then one line with the heavy modules that it imported."""
    folders = [str(folder) for folder in (path, ROOT) if folder]
    script = (
        f"import sys; sys.path[:0] = {folders!r}\n"
        "from grokbench.cli import cli\n"
        f"try: cli({list(arguments)!r}, prog_name='grokbench')\n"
        f"finally: print('imported:', *sorted({HEAVY!r} & sys.modules.keys()))\n"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with two installed packages: one adds the command `greet`, one cannot be imported."""
    (tmp_path / "greeting.py").write_text(
        "import click, grokbench\n"
        "@click.command()\n"
        "def greet():\n"
        "    '''Say hello.'''\n"
        "    click.echo('hello')\n"
        "@grokbench.hookimpl\n"
        "def register_commands(cli):\n"
        "    cli.add_command(greet)\n"
    )
    (tmp_path / "heavy.py").write_text("raise RuntimeError('imported without need')\n")
    for name, group, module in (
        ("greeting", "grokbench.commands", "greeting"),
        ("broken", "grokbench.commands", "not_there"),
        ("heavy", "grokbench", "heavy"),
    ):
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (information / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
    return tmp_path


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    done = in_a_fresh_process("--help")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines()]
    assert [*COMMANDS, "imported:"] == listed
    assert done.stdout.endswith("imported:\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    done = in_a_fresh_process(command, "--help")
    assert f"Usage: grokbench {command}" in done.stdout
    assert done.stdout.endswith("imported:\n")


def test_a_package_adds_a_command(installed: Path) -> None:
    assert in_a_fresh_process("greet", path=installed).stdout.startswith("hello\n")


def test_help_shows_added_commands_and_imports_no_other_plugin(installed: Path) -> None:
    done = in_a_fresh_process("--help", path=installed)
    assert "greet Say hello." in " ".join(done.stdout.split())
    assert "imported without need" not in done.stdout + done.stderr
    assert done.returncode == 0


def test_our_own_commands_do_not_look_for_added_ones(installed: Path) -> None:
    done = in_a_fresh_process("plan", "--help", path=installed)
    assert done.stdout.endswith("imported:\n")


def test_the_module_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "grokbench", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert f"grokbench, version {package.__version__}\n" == done.stdout


@pytest.mark.parametrize(
    "command", [["--help"], ["list", "suites"], ["list", "suites", "--json"]], ids=" ".join
)
def test_a_reader_that_has_had_enough_causes_no_traceback(command: list[str]) -> None:
    """As with `| head -1`, where head ends before all is written."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "grokbench", *command],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert done.returncode == 74
    assert done.stderr == ""


def test_an_unknown_command_names_the_nearest(grokbench: Callable[..., Result]) -> None:
    result = grokbench("valdate")
    assert result.exit_code == 2
    assert "validate" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_can_be_set_by_a_variable_of_its_own_name(command: str) -> None:
    found = cli.commands[command]
    options = [option for option in found.params if isinstance(option, click.Option)]
    assert options
    for option in options:
        assert f"--{option.name}".replace("_", "-") in option.opts


def test_an_option_can_be_set_by_the_environment(
    grokbench: Callable[..., Result], suite: Path
) -> None:
    result = grokbench("run", suite, GROKBENCH_RUN_BUDGET="soon")
    assert result.exit_code == 2
    assert "'soon' is not a duration" in result.stderr


def test_a_mistake_is_a_message_and_not_a_traceback(
    grokbench: Callable[..., Result], suite: Path
) -> None:
    suite.write_text(suite.read_text().replace("model_sizes = [4, 8]", "model_sizes = [-4, 8]"))
    result = grokbench("run", suite)
    assert result.exit_code == 2
    assert "model_sizes[0]" in result.stderr
    assert "Traceback" not in result.output
    assert not (suite.parent / "results").exists()


def test_a_folder_that_cannot_be_written_is_a_message(
    grokbench: Callable[..., Result], suite: Path
) -> None:
    (suite.parent / "results").write_text("a file where the folder should be")
    result = grokbench("run", suite, "--jobs", 1)
    assert result.exit_code == 2
    assert "results" in result.stderr
