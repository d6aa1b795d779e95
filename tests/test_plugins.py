"""Plugins are found, checked and guarded: what one does wrong is listed and harms nobody else."""

from __future__ import annotations

import copy
import hashlib
import importlib
import pickle
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import click
import pytest

from grokbench import PluginError, UnknownNameError, __version__
from grokbench.plugins import Origin, Plugins
from grokbench.plugins.commands import add_commands
from grokbench.switches import SWITCHES, comparable, read

OWN = f"grokbench {__version__}"

TASK = """\
import torch
from grokbench import CrossEntropy, Task, Tokens, hookimpl


class {owner}(Task):
    name = "{name}"
    inputs = Tokens(2, 1)
    judgement = CrossEntropy(2)

    def check(self, data_size):
        return None

    def examples(self, data_size, streams):
        raise NotImplementedError


@hookimpl
def register_tasks(register):
    register({owner})
"""

DETECTOR = """\
from grokbench import Detector, hookimpl


class Stare(Detector):
    name = "stare"

    def find(self, data):
        raise NotImplementedError
"""


@pytest.fixture
def write(tmp_path):
    """Write a single-file plugin: `write("mine.py", text)`."""

    def written(name: str, text: str) -> Path:
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

    def installed(package: str, modules: dict[str, str], announced: str) -> None:
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
        if folder in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
            del sys.modules[name]


def only(origins: list[Origin], name: str) -> Origin:
    return next(origin for origin in origins if origin.name == name)


def test_what_is_built_in_comes_through_the_same_hooks():
    plugins = Plugins.load()
    assert {"modular_addition", "mixture"} <= set(plugins.tasks)
    assert {"dense", "split_ffn"} <= set(plugins.architectures)
    assert {"adamw", "sgd"} <= set(plugins.optimizers)
    assert {"dynamics", "double_descent"} <= set(plugins.detectors)
    assert OWN == plugins.tasks.origin("modular_addition")
    own = plugins.origins()[0]
    assert ("grokbench", __version__, "grokbench.builtin", None) == (
        own.name,
        own.version,
        own.location,
        own.error,
    )
    assert "task modular_addition" in own.registers


def test_a_catalogue_is_a_mapping_in_alphabetical_order(write):
    tasks = Plugins.load([write("mine.py", TASK.format(owner="Aardvark", name="aardvark"))]).tasks
    assert sorted(tasks) == list(tasks)
    assert "aardvark" == next(iter(tasks))
    assert len(list(tasks)) == len(tasks)
    assert "aardvark" in tasks
    assert "zebra" not in tasks
    assert tasks.get("zebra") is None


def test_the_digest_of_a_single_file_is_that_of_its_bytes_when_it_was_imported(write):
    text = TASK.format(owner="Parity", name="parity")
    file = write("mine.py", text)
    plugins = Plugins.load([file])
    assert "parity" in plugins.tasks
    file.write_text(f"{text}# edited")
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert {str(file): digest}.items() <= plugins.digests().items()
    used = [("task", "parity"), ("task", "modular_addition"), ("task", "no_such_task")]
    expected = {"task parity": {"plugin": "mine.py", "sha256": digest}}
    assert expected == plugins.code_behind(used)
    edited = Plugins.load([file]).code_behind(used)["task parity"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == edited["sha256"]


@pytest.mark.parametrize("announced", ["acme.plugin", "acme"])
def test_the_digest_of_an_installed_plugin_is_that_of_its_package(install, tmp_path, announced):
    """The module that registers a task is seldom the one that defines the task."""
    package = tmp_path / "site-packages" / "acme"
    (package / "inner").mkdir(parents=True)
    task = TASK.format(owner="Parity", name="parity")
    register = "from acme.inner.tasks import register_tasks\n"
    (package / "inner" / "tasks.py").write_text(task)
    (package / "inner" / "__init__.py").write_text("")
    (package / "plugin.py").write_text(register)
    (package / "__init__.py").write_text(register if announced == "acme" else "")
    install("acme", {}, f"[grokbench]\nparity = {announced}\n")

    def digest() -> str:
        plugins = Plugins.load()
        assert "parity" in plugins.tasks
        told = {"plugin": "acme", "version": "1.2", "sha256": plugins.digests()["acme"]}
        assert {"task parity": told} == plugins.code_behind([("task", "parity")])
        return plugins.digests()["acme"]

    before = digest()
    assert before == digest()
    (package / "inner" / "tasks.py").write_text(f"{task}# edited")
    assert before != digest()


def test_the_digest_of_an_installed_module_without_a_package_is_that_of_its_file(install):
    text = TASK.format(owner="Parity", name="parity")
    install("acme", {"acme_tasks": text}, "[grokbench]\nparity = acme_tasks\n")
    assert hashlib.sha256(text.encode()).hexdigest() == Plugins.load().digests()["acme"]


def test_an_installed_package_registers_under_its_name_and_version(install):
    text = TASK.format(owner="Parity", name="parity")
    install("acme", {"acme_tasks": text}, "[grokbench]\nparity = acme_tasks\n")
    plugins = Plugins.load()
    assert "acme 1.2" == plugins.tasks.origin("parity")
    expected = Origin("acme", "1.2", "acme_tasks", ("task parity",), None)
    assert expected == only(plugins.origins(), "acme")


def test_a_single_file_registers_under_its_path(write):
    file = write("mine.py", TASK.format(owner="Parity", name="parity"))
    plugins = Plugins.load([file, file])
    assert "Parity" == plugins.tasks["parity"].__name__
    assert str(file) == plugins.tasks.origin("parity")
    assert Origin(str(file), "", str(file), ("task parity",), None) == plugins.origins()[-1]


def test_two_files_of_the_same_name_are_two_plugins(tmp_path, write):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    files = [
        write("a/mine.py", TASK.format(owner="Parity", name="parity")),
        write("b/mine.py", TASK.format(owner="Majority", name="majority")),
    ]
    tasks = Plugins.load(files).tasks
    assert {"parity", "majority"} <= set(tasks)
    assert tasks["parity"].__module__ != tasks["majority"].__module__


def test_a_file_is_read_afresh_by_every_load(write):
    file = write("mine.py", TASK.format(owner="Parity", name="parity"))
    assert "parity" in Plugins.load([file]).tasks
    write("mine.py", TASK.format(owner="Majority", name="the_majority"))
    assert "the_majority" in Plugins.load([file]).tasks


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named"),
        ("\n1 / 0", "ZeroDivisionError: division by zero (broken.py, line 2)"),
        ("def", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import sys; sys.exit(3)", "SystemExit: 3 (broken.py, line 1)"),
        ("", "it has no hooks; write one of register_tasks, "),
        (
            "def register_tasks(register): pass",
            "register_tasks is not marked; write @grokbench.hookimpl above it",
        ),
        (
            "from grokbench import hookimpl\n@hookimpl\ndef register_task(register): pass",
            "there is no hook 'register_task'; did you mean 'register_tasks'?",
        ),
        (
            "from grokbench import hookimpl\n@hookimpl\ndef register_tasks(registry): pass",
            "PluginValidationError: ",
        ),
        (
            "from grokbench import hookimpl\n@hookimpl\ndef register_commands(cli): pass",
            "register_commands is never called here; announce the module in its package under "
            "the entry-point group 'grokbench.commands'",
        ),
        (
            "from grokbench import hookimpl\n@hookimpl\ndef register_tasks(register):\n    1 / 0",
            "ZeroDivisionError: division by zero (broken.py, line 4)",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_its_error_and_harms_nobody(write, text, error):
    broken = write("broken.py", text)
    whole = write("whole.py", TASK.format(owner="Parity", name="parity"))
    plugins = Plugins.load([broken, whole])
    assert {"parity", "modular_addition"} <= set(plugins.tasks)
    listed = only(plugins.origins(), str(broken))
    assert (listed.error or "").startswith(error)
    assert () == listed.registers
    assert listed.error == plugins.error(broken)
    assert plugins.error(whole) is None


@pytest.mark.parametrize("name", ["nowhere.py", "notes.txt"])
def test_a_file_that_is_no_plugin_is_listed_with_its_error(write, name):
    file = write("notes.txt", "nothing").with_name(name)
    error = only(Plugins.load([file]).origins(), str(file)).error
    assert name in (error or "")


def test_a_broken_package_is_listed_with_its_error_and_harms_nobody(install):
    install("broken", {"broken_tasks": "1 / 0"}, "[grokbench]\nany = broken_tasks\n")
    install("lost", {}, "[grokbench]\nany = lost_module_of_that_name\n")
    text = TASK.format(owner="Parity", name="parity")
    install("acme", {"acme_tasks": text}, "[grokbench]\nparity = acme_tasks\n")
    plugins = Plugins.load()
    assert "acme 1.2" == plugins.tasks.origin("parity")
    origins = plugins.origins()
    assert (
        "ZeroDivisionError: division by zero (broken_tasks.py, line 1)"
        == only(origins, "broken").error
    )
    assert "ModuleNotFoundError" in (only(origins, "lost").error or "")


@pytest.mark.parametrize(
    ("registered", "error"),
    [
        ("Parity()", "is not a class; register the task's class itself"),
        ("int", "int is no task; make it a subclass of grokbench.Task"),
        ("Task", "Task is not complete; write check, examples, inputs, judgement"),
        ("type('Odd', (Parity,), {'name': 'odd one'})", "Odd.name is 'odd one'; write a word"),
        ("type('Odd', (Parity,), {'version': 0})", "Odd.version is 0; write a whole number"),
        ("type('Odd', (Parity,), {'version': '1'})", "Odd.version is '1'; write a whole number"),
        ("type('Odd', (Parity,), {'version': True})", "Odd.version is True; write a whole number"),
        ("type('Odd', (Parity,), {'Options': dict})", "write a subclass of grokbench.Options"),
        ("type('Odd', (Parity,), {'Options': Loose})", "Odd.Options would ignore misspelt keys"),
        ("type('Odd', (Parity,), {'Options': Named})", "Odd.Options has a field 'name'"),
    ],
)
def test_each_thing_is_checked_as_it_comes_in(write, registered, error):
    """What is wrong is refused; what the same plugin registers beside it is taken."""
    options = """\
import pydantic, grokbench

class Loose(pydantic.BaseModel):
    pass

class Named(grokbench.Options):
    name: str = "x"

"""
    file = write(
        "odd.py",
        options + TASK.format(owner="Parity", name="parity") + f"    register({registered})\n",
    )
    plugins = Plugins.load([file])
    listed = only(plugins.origins(), str(file))
    assert error in (listed.error or "")
    assert ("task parity",) == listed.registers
    assert "odd" not in plugins.tasks


@pytest.mark.parametrize("attribute", ["roles", "figure_spans", "figure_ignores"])
@pytest.mark.parametrize(("value", "what"), [("'all'", "a string"), ("None", "None"), ("5", "5")])
def test_names_that_are_no_tuple_of_strings_are_refused(write, attribute, value, what):
    text = DETECTOR.replace('"stare"', f'"stare"\n    {attribute} = {value}')
    register = "@hookimpl\ndef register_detectors(register):\n    register(Stare)\n"
    file = write("stare.py", text + register)
    expected = f"Stare.{attribute} is {what}; write a tuple of strings"
    assert expected == Plugins.load([file]).error(file)


def test_a_copy_of_a_suites_plugins_is_the_same_plugins(write):
    plugins = Plugins.load([write("parity.py", TASK.format(owner="Parity", name="parity"))])
    assert plugins is copy.deepcopy(plugins)


def unpickled(content: bytes) -> Plugins:
    plugins: Plugins = pickle.loads(content)  # noqa: S301 - this file pickled the content
    return plugins


def test_pickled_plugins_are_loaded_as_they_were_or_refused(write):
    """Each pickle goes with the code that its plugins had."""
    text = TASK.format(owner="Parity", name="parity")
    file = write("mine.py", text)
    plugins = Plugins.load([file])
    assert "parity" in plugins.tasks
    pickled = pickle.dumps(plugins)
    first = unpickled(pickled)
    assert first is unpickled(pickled), "executed once in a process"
    assert "parity" in first.tasks
    file.write_text(text.replace("parity", "oddness"))
    with pytest.raises(PluginError, match=r"mine\.py was changed after it had been loaded"):
        unpickled(pickled)
    with pytest.raises(PluginError, match="load the suite again"):
        unpickled(pickle.dumps(plugins))
    again = unpickled(pickle.dumps(Plugins.load([file])))
    assert "oddness" in again.tasks
    assert "parity" not in again.tasks


def test_a_name_that_two_plugins_register_belongs_to_neither(write):
    mine = write("mine.py", TASK.format(owner="Parity", name="modular_addition"))
    other = TASK.format(owner="Parity", name="parity") + "    register(Extra)\n"
    other += indent(TASK.split("\n\n\n")[1].format(owner="Extra", name="extra"), "")
    beside = write("beside.py", other)
    plugins = Plugins.load([mine, beside])
    message = f"the task 'modular_addition' is registered by {OWN} and by {mine}"
    with pytest.raises(PluginError, match="rename one") as error:
        plugins.tasks["modular_addition"]
    assert str(error.value).startswith(message)
    with pytest.raises(PluginError):
        plugins.tasks.origin("modular_addition")
    assert ["modular_addition"] == list(plugins.tasks.conflicts)
    assert "modular_addition" not in plugins.tasks
    assert {"modular_square", "parity", "extra"} <= set(plugins.tasks)
    origins = plugins.origins()
    assert message in (only(origins, "grokbench").error or "")
    assert message in (only(origins, str(mine)).error or "")
    assert only(origins, str(beside)).error is None


def test_the_same_class_registered_twice_is_no_conflict(write):
    file = write("mine.py", TASK.format(owner="Parity", name="parity") + "    register(Parity)\n")
    plugins = Plugins.load([file])
    assert "Parity" == plugins.tasks["parity"].__name__
    assert ("task parity",) == only(plugins.origins(), str(file)).registers


def test_what_an_import_sets_for_everybody_is_put_back(write, capsys):
    meddling = """
        import os, random
        import numpy, torch
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(0), numpy.random.seed(0), random.seed(0)
        os.chdir(os.path.dirname(os.getcwd()))
        print("welcome")
    """
    assert Plugins.load().tasks  # imports torch and numpy, which have settings from then on
    before = {name: comparable(value) for name, value in read(SWITCHES).items()}
    file = write("mine.py", dedent(meddling) + TASK.format(owner="Parity", name="parity"))
    assert "parity" in Plugins.load([file]).tasks
    assert before == {name: comparable(value) for name, value in read(SWITCHES).items()}
    assert ("", "welcome\n") == capsys.readouterr()


def test_the_trace_says_why_nothing_was_registered(write, capsys, monkeypatch):
    monkeypatch.setenv("GROKBENCH_TRACE", "1")
    nameless = TASK.format(owner="Parity", name="par ity")
    file, lost = write("mine.py", nameless), write("lost.py", "1 / 0")
    assert Plugins.load([file, lost]).tasks
    lines = capsys.readouterr().err.splitlines()
    why = "Parity.name is 'par ity'; write a word such as 'modular_addition'"
    assert f"grokbench: register_tasks in {file} -> nothing registered; {why}" in lines
    assert f"grokbench: {lost}: ZeroDivisionError: division by zero (lost.py, line 1)" in lines


def test_what_the_first_import_of_torch_sets_is_put_back_too(write):
    """Before which there was nothing to be read."""
    file = write("mine.py", "import torch\ntorch.set_default_dtype(torch.float64)\n")
    program = f"""
        import sys
        from pathlib import Path
        from grokbench.plugins.loading import import_file
        from grokbench.plugins.plugin import Plugin
        from grokbench.catalogue import Sender
        Plugin(Sender("mine", "", "mine"), lambda: import_file(Path({str(file)!r})))
        print(sys.modules["torch"].get_default_dtype())
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True
    )
    assert "torch.float32" == done.stdout.strip()


def test_an_unknown_name_is_an_error_with_the_nearest_one():
    with pytest.raises(UnknownNameError) as error:
        Plugins.load().tasks["modular_additon"]
    assert "there is no task 'modular_additon'; did you mean 'modular_addition'?" in str(
        error.value
    )
    with pytest.raises(UnknownNameError, match="there is no detector"):
        Plugins.load().detectors.origin("crystal_ball")


def test_an_unknown_name_hints_at_the_plugin_that_failed(write):
    broken = write("broken.py", "1 / 0")
    with pytest.raises(UnknownNameError) as error:
        Plugins.load([broken]).tasks["parity"]
    assert (
        f"(the plugin {broken} may have it, but has an error: "
        "ZeroDivisionError: division by zero (broken.py, line 1)"
    ) in str(error.value)


def test_asking_for_tasks_calls_no_other_hook(write):
    hooks = "".join(
        f"@hookimpl\ndef {hook}(register):\n    calls.append('{hook}')\n"
        for hook in ("register_tasks", "register_detectors", "register_optimizers")
    )
    file = write("recorder_of_hooks.py", f"from grokbench import hookimpl\ncalls = []\n{hooks}")
    plugins = Plugins.load([file])
    assert plugins.tasks
    assert plugins.tasks
    (recorder,) = (m for name, m in sys.modules.items() if name.endswith("recorder_of_hooks"))
    assert ["register_tasks"] == recorder.calls


COMMAND = """\
import click
from grokbench import hookimpl

@hookimpl
def register_commands(cli):
    @cli.command()
    def {name}():
        click.echo("{name} from {package}")
"""


def test_commands_are_added_from_a_group_of_their_own(install):
    """And the modules that only register definitions are not imported for it."""
    modules = {"acme_cli": COMMAND.format(name="hello", package="acme"), "acme_slow": "1 / 0"}
    install("acme", modules, "[grokbench]\nany = acme_slow\n[grokbench.commands]\nany = acme_cli\n")
    cli = click.Group()
    origins = add_commands(cli)
    assert ["hello"] == list(cli.commands)
    assert [Origin("acme", "1.2", "acme_cli", ("command hello",), None)] == origins
    assert "acme_slow" not in sys.modules
    assert origins == add_commands(cli)


def test_a_command_whose_name_is_taken_is_left_out_and_both_are_named(install):
    announced = "[grokbench.commands]\nany = {}\n"
    for package in ("acme", "bacme"):
        text = COMMAND.format(name="hello", package=package)
        text += indent(COMMAND.format(name="run", package=package).split("(cli):\n")[1], "")
        install(package, {f"{package}_cli": text}, announced.format(f"{package}_cli"))
    cli = click.Group(commands=[own := click.Command("run")])
    first, second = add_commands(cli)
    assert own is cli.commands["run"]
    assert ("command hello",) == first.registers
    assert (
        f"the command 'run' is registered by {OWN} and by acme 1.2; "
        "the first has it, so rename the other"
    ) == first.error
    assert () == second.registers
    assert "the command 'hello' is registered by acme 1.2 and by bacme 1.2" in (second.error or "")
    assert [first, second] == Plugins.load().origins(cli)[-2:]


def test_a_command_plugin_that_raises_adds_nothing_and_is_listed(install):
    text = COMMAND.format(name="hello", package="acme") + "    1 / 0\n"
    install("acme", {"acme_cli": text}, "[grokbench.commands]\nany = acme_cli\n")
    install("lost", {}, "[grokbench.commands]\nany = lost_module_of_that_name\n")
    cli = click.Group()
    add_commands(cli)
    assert "ZeroDivisionError" in (only(Plugins.load().origins(), "acme").error or "")
    assert "ModuleNotFoundError" in (only(Plugins.load().origins(), "lost").error or "")


def test_commands_under_the_wrong_group_are_not_silently_ignored(install):
    text = COMMAND.format(name="hello", package="acme")
    install("acme", {"acme_cli": text}, "[grokbench]\nany = acme_cli\n")
    assert (
        "announce the module in its package under the entry-point group 'grokbench.commands'"
        in (only(Plugins.load().origins(), "acme").error or "")
    )


def test_one_module_may_be_announced_under_both_groups(install):
    text = TASK.format(owner="Parity", name="parity") + COMMAND.format(name="hi", package="acme")
    both = "[grokbench]\nany = acme_both\n[grokbench.commands]\nany = acme_both\n"
    install("acme", {"acme_both": text}, both)
    acme = [origin for origin in Plugins.load().origins() if origin.name == "acme"]
    assert [("task parity",), ("command hi",)] == [origin.registers for origin in acme]
    assert [None, None] == [origin.error for origin in acme]


def test_adding_commands_imports_nothing_heavy():
    program = """
        import sys, click
        from grokbench.plugins.commands import add_commands
        add_commands(click.Group())
        print(sorted({"torch", "xarray", "pydantic", "scipy", "numpy"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()
