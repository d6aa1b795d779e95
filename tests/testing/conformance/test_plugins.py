"""Plugins that are broken as a whole, each in one way, and what the kit says of each."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from textwrap import dedent

import click
import pytest

from grokbench import PluginError
from grokbench.testing import CheckOutcome, checks_of_plugin
from grokbench.testing.conformance import plugins

TASK = '''
import torch
from grokbench import CrossEntropy, Examples, Task, Tokens, hookimpl


class Sign(Task):
    """Whether the first of two tokens is the larger."""

    name = "{name}"
    judgement = CrossEntropy(2)
    inputs = Tokens(vocabulary=8, length=2)

    def check(self, data_size):
        return None if data_size <= 64 else "write 1 to 64"

    def examples(self, data_size, streams):
        a, b = torch.arange(8).repeat_interleave(8), torch.arange(8).repeat(8)
        train = torch.zeros(64, dtype=torch.bool)
        train[torch.randperm(64, generator=streams("split"))[:data_size]] = True
        return Examples(
            torch.stack([a, b], 1), (a > b).long(), train, ~train, torch.zeros_like(a), ~train
        )


@hookimpl
def register_tasks(register):
    register(Sign)
'''

COMMAND = """
import click
from grokbench import hookimpl


@click.command("{name}")
def mine():
    pass


@hookimpl
def register_commands(cli):
    cli.add_command(mine)
"""

BUSY = """
import time
began = time.process_time()
while time.process_time() - began < 0.6:
    pass
"""


@pytest.fixture
def write(tmp_path):
    """Write a single-file plugin: `write(text)` gives its path."""

    def written(text, name="mine.py"):
        file = tmp_path.resolve() / name
        file.write_text(text, encoding="utf-8")
        return file

    return written


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package as pip would: `install("acme", {"acme_tasks": text}, entry_points)`."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def installed(package, modules, announced):
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        metadata = folder / f"{package}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n"
        )
        (metadata / "entry_points.txt").write_text(dedent(announced))
        importlib.invalidate_caches()

    yield installed
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
            del sys.modules[name]


def found(name, *checks, cli=None):
    """Check → its result, for those of a plugin as a whole; all but the timing unless named."""
    wanted = checks or set(WHOLE) - {
        "imports_soon", "imports_without_a_trace", "commands_wait_for_heavy_imports"
    }  # fmt: skip
    made = checks_of_plugin(str(name), cli=cli)
    results = [one.result() for one in made if one.subject.startswith("plugin ")
               and one.name in wanted]  # fmt: skip
    return {one.check: one for one in results}


WHOLE = (
    "imports",
    "imports_soon",
    "imports_without_a_trace",
    "hooks_are_called",
    "registers_definitions",
    "names_are_its_own",
    "commands_wait_for_heavy_imports",
)

SIGN = TASK.format(name="sign")

BROKEN = [
    ("import no_such_module", "imports", "No module named 'no_such_module'"),
    ("import sys\nsys.exit(3)", "imports", "SystemExit: 3"),
    (SIGN.replace("register_tasks", "register_task"), "hooks_are_called", "'register_tasks'?"),
    (SIGN.replace("@hookimpl", ""), "hooks_are_called", "is not marked"),
    ("x = 1", "hooks_are_called", "it has no hooks"),
    (
        SIGN.replace("(register)", "(registry)", 1),
        "hooks_are_called",
        "register_tasks takes (registry); it is called with (register)",
    ),
    (COMMAND.format(name="mine"), "hooks_are_called", "register_commands is never called here"),
    (
        SIGN.replace("register(Sign)", "register(Sign())"),
        "registers_definitions",
        "is not a class",
    ),
    (SIGN.replace("register(Sign)", "register(dict)"), "registers_definitions", "dict is no task"),
    (
        SIGN.replace('    name = "sign"\n', ""),
        "registers_definitions",
        "Sign.name is None; it cannot be used as a task; write a word",
    ),
    (
        SIGN.replace("def check", "def checks"),
        "registers_definitions",
        "Sign is not complete; it cannot be used as a task; write check",
    ),
    (
        "from grokbench import Architecture, hookimpl\n\n\nclass Half(Architecture):\n"
        "    name = 'half'\n\n\n@hookimpl\ndef register_architectures(register):\n"
        "    register(Half)\n",
        "registers_definitions",
        "it cannot be used as an architecture",
    ),
    (SIGN.replace("register(Sign)", "pass"), "registers_definitions", "it registers nothing"),
    (
        SIGN.replace("register(Sign)", "register(Sing)"),
        "registers_definitions",
        "NameError: name 'Sing' is not defined",
    ),
    (TASK.format(name="mixture"), "names_are_its_own", "the task 'mixture' is registered by grok"),
]


@pytest.mark.parametrize(("text", "check", "words"), BROKEN, ids=[f"{c}-{w}" for _, c, w in BROKEN])
def test_a_broken_plugin_is_found_by_its_check_and_told_what_is_wrong(write, text, check, words):
    results = found(write(text))
    assert CheckOutcome.FAILED is results[check].outcome
    assert words in results[check].message


def test_what_cannot_be_imported_is_reported_once(write):
    results = found(write("import no_such_module"), *WHOLE)
    assert [CheckOutcome.FAILED] + 6 * [CheckOutcome.SKIPPED] == [
        results[name].outcome for name in WHOLE
    ]
    assert "see imports" in results["hooks_are_called"].message


def test_a_sound_plugin_in_one_file_passes_every_check_with_all_that_it_registers(write):
    results = [check.result() for check in checks_of_plugin(str(write(SIGN)))]
    assert [] == [str(one) for one in results if one.outcome is CheckOutcome.FAILED]
    assert {f"plugin {write(SIGN)}", "task sign"} == {one.subject for one in results}


def test_a_hook_may_be_named_in_its_mark(write):
    text = SIGN.replace("@hookimpl", '@hookimpl(specname="register_tasks")')
    file = write(text.replace("def register_tasks", "def mine"))
    assert {CheckOutcome.OK} == {
        one.outcome for one in found(file, "hooks_are_called", "registers_definitions").values()
    }
    wrong = write(file.read_text(encoding="utf-8").replace("mine(register)", "mine(registry)"))
    message = found(wrong, "hooks_are_called")["hooks_are_called"].message
    assert "register_tasks takes (registry)" in message


def test_an_import_that_works_in_this_process_alone_is_found(write):
    text = "import sys\nassert 'pytest' in sys.modules\n" + SIGN
    result = found(write(text), "imports_soon")["imports_soon"]
    assert "imported in a process of its own it fails: AssertionError" in result.message


MEDDLING = """
import atexit, os, random, sys, warnings
import numpy, torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.set_num_threads(torch.get_num_threads() + 1)
torch.manual_seed(0), numpy.random.seed(0), random.seed(0)
os.environ["OMP_NUM_THREADS"] = "7"
os.chdir(os.path.dirname(os.getcwd()))
warnings.simplefilter("error")
print("welcome")
"pytest" in sys.modules or atexit.register(print, "good bye")
"""


def test_an_import_that_takes_long_prints_or_sets_what_all_share_is_found(write, monkeypatch):
    """In a process of its own: seconds of processor time beyond torch and grokbench, and traces."""
    monkeypatch.setattr(plugins, "IMPORT_SECONDS", 0.3)
    results = found(write(BUSY + MEDDLING + SIGN), "imports_soon", "imports_without_a_trace")
    assert {CheckOutcome.FAILED} == {one.outcome for one in results.values()}
    slow = results["imports_soon"].message
    assert re.search(r"importing it takes \d\.\d s of processor time", slow)
    result = results["imports_without_a_trace"]
    for name in (
        "torch's default dtype", "whether torch records gradients", "torch's number of threads",
        "torch's random state", "numpy's random state", "Python's random state",
        "OMP_NUM_THREADS in the environment", "the working folder", "the filters of warnings",
        r"and prints 'welcome\ngood bye'",
    ):  # fmt: skip
        assert name in result.message


def test_commands_that_import_heavy_libraries_at_the_top_are_found(install):
    light, heavy = COMMAND.format(name="light"), "import scipy\n" + COMMAND.format(name="heavy")
    install("feather", {"feather": light}, "[grokbench.commands]\nlight = feather\n")
    install("lead", {"lead": heavy}, "[grokbench.commands]\nheavy = lead\n")
    check = "commands_wait_for_heavy_imports"
    assert CheckOutcome.OK is found("feather", check)[check].outcome
    assert "importing it imports scipy" in found("lead", check)[check].message


def test_a_command_whose_name_is_taken_is_found(install):
    install(
        "acme", {"acme_cli": COMMAND.format(name="run")}, "[grokbench.commands]\nx = acme_cli\n"
    )
    root = click.Group(commands={"run": click.Command("run")})
    message = found("acme", cli=root)["names_are_its_own"].message
    assert "the command 'run' is registered by grokbench" in message


def test_two_packages_that_register_one_name_are_both_told(install):
    text = TASK.format(name="parity")
    install("acme", {"acme_tasks": text}, "[grokbench]\na = acme_tasks\n")
    install("bolt", {"bolt_tasks": text}, "[grokbench]\nb = bolt_tasks\n")
    for name in ("acme", "bolt"):
        message = found(name)["names_are_its_own"].message
        assert "the task 'parity' is registered by acme 1.2 and by bolt 1.2" in message


@pytest.mark.parametrize("name", ["acme-tools", "Acme_Tools", "parity", "acme_tasks"])
def test_a_package_goes_by_its_name_its_entry_point_or_its_module(install, name):
    text = TASK.format(name="odd_bits")
    install("acme_tools", {"acme_tasks": text}, "[grokbench]\nparity = acme_tasks\n")
    subjects = {check.subject for check in checks_of_plugin(name)}
    assert {"plugin acme_tools (acme_tasks)", "task odd_bits"} == subjects


def test_a_definition_is_examined_alone_by_its_name():
    assert {"optimizer adamw"} == {check.subject for check in checks_of_plugin("adamw")}


def test_what_there_is_not_is_an_error_with_the_nearest_name():
    with pytest.raises(PluginError, match=r"no definition and no file 'adamv'.*'adamw'"):
        checks_of_plugin("adamv")
    with pytest.raises(PluginError, match=r"no file nothing\.py"):
        checks_of_plugin("nothing.py")


def test_an_architecture_is_tried_on_the_tasks_registered_beside_it(write):
    text = SIGN + dedent('''
        from torch import nn
        from grokbench import Architecture


        class Table(Architecture):
            """A linear layer over one-hot tokens of `sign` alone."""

            name = "table"

            def refuses(self, task, size):
                if task.name != "sign" or size.layers > 1:
                    return "it takes sign and one layer alone"

            def build(self, size, task):
                return nn.Sequential(
                    nn.Embedding(8, size.hidden_size), nn.Flatten(),
                    nn.Linear(2 * size.hidden_size, 2),
                )


        @hookimpl
        def register_architectures(register):
            register(Table)
    ''')
    results = [
        check.result()
        for check in checks_of_plugin(str(write(text)))
        if check.subject == "architecture table"
    ]
    assert [] == [str(one) for one in results if one.outcome is CheckOutcome.FAILED]
    assert any("sign at 4, 6, 8, 12" in one.message for one in results)
