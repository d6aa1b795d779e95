"""Definitions tried in other processes: one that imports a plugin, and one that repeats exercises.

Python salts hash("…") at every start, and the order of a set of strings follows from the salt
(PYTHONHASHSEED). Results that depend on the salt are always the same in one process, and differ in
the next. The process that repeats exercises is started once, with another salt.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import pickle
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grokbench.errors import PluginFailure
from grokbench.plugins import guard
from grokbench.plugins.loading import import_file
from grokbench.testing.conformance.checks import Fault, Inapplicable, Specimen
from grokbench.testing.conformance.exercises import Digests, exercises_of

PATIENCE = 120.0
"""Seconds after which another process is ended."""

SINGLE_FILE = "grokbench_file_"
"""How the module's name begins when `import_file` has imported it."""

Question = tuple[list[str], dict[str, str | None], bytes]
"""Where modules are looked for; the file of each module of the specimen; the pickled specimen."""

IMPORT = """
import importlib, json, sys, time
from pathlib import Path
known, location, commands, answer = json.loads(sys.argv[1])
sys.path[:] = known
import click
from grokbench.plugins.loading import import_file
from grokbench.switches import changes, process_state
if not commands:
    from grokbench import architectures, optimizers, phenomena, tasks
before, stood, began = set(sys.modules), process_state(), time.process_time()
import_file(Path(location)) if location.endswith(".py") else importlib.import_module(location)
seconds = time.process_time() - began
found = seconds, sorted(set(sys.modules) - before), changes(stood, process_state())
Path(answer).write_text(json.dumps(found), encoding="utf-8")
"""

SERVE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from grokbench.testing.conformance.another_process import serve
serve()
"""


@dataclass(frozen=True)
class Import:
    """What importing a module did, in a process of its own.

    Attributes:
        seconds: of processor time, beyond torch and grokbench, or beyond click for commands.
        modules: that were imported with it.
        changed: the names of the global state that it changed.
        printed: to standard output, by the import and at the end of the process.
    """

    seconds: float
    modules: tuple[str, ...]
    changed: tuple[str, ...]
    printed: str


def imported_elsewhere(location: str, commands: bool) -> Import:
    """Import a module in a process of its own.

    Args:
        location: the module's dotted name, or the path of a single file.
        commands: whether it is a module of commands; torch is not imported before those.

    Raises:
        Fault: the import fails, ends the process, or does not end.
    """
    with TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        question = json.dumps([search_path(), location, commands, str(answer)])
        try:
            done = subprocess.run(  # noqa: S603 (this interpreter, and our own words)
                [sys.executable, "-c", IMPORT, question],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Fault(
                f"importing it has not ended after {PATIENCE:g} s",
                "do not wait for a network, a lock or input at the top of a module",
            ) from error
        if not answer.exists():
            lines = done.stderr.strip().splitlines()
            raise Fault(
                f"imported in a process of its own it fails: "
                f"{lines[-1] if lines else f'the process ends with {done.returncode}'}",
                "do not depend on what another module has set up, and do not end the process",
                "worker processes import it in this way",
            )
        seconds, modules, changed = json.loads(answer.read_text(encoding="utf-8"))
    return Import(seconds, tuple(modules), tuple(changed), done.stdout.strip())


def digests_elsewhere(specimen: Specimen) -> Digests:
    """The digests of the specimen's first exercise, as another process computes them.

    Raises:
        Inapplicable: the other process cannot find the specimen's classes.
        Fault: the exercise fails there.
    """
    modules = {
        one.__module__
        for one in (specimen.definition, *map(type, (*specimen.tasks, *specimen.architectures)))
    }
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in modules}
    content = io.BytesIO()
    try:
        _ByName(content).dump(specimen)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Inapplicable(f"another process cannot find its class: {error}") from error
    answer = _asked((search_path(), files, content.getvalue()))
    if isinstance(answer, Exception):
        raise answer
    return answer


class _ByName(pickle.Pickler):
    """Refers to classes of single files by name: a file may have been imported again since."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and value.__module__.startswith(SINGLE_FILE):
            return pkgutil.resolve_name, (f"{value.__module__}:{value.__qualname__}",)
        return NotImplemented


def search_path() -> list[str]:
    """Where modules are looked for."""
    return [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109


def _asked(question: Question) -> Digests | Fault | Inapplicable:
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        pickle.dump(question, process.stdin)
        process.stdin.flush()
        verdict, answer = pickle.load(process.stdout)  # noqa: S301 (our own process)
    except (OSError, EOFError) as error:
        _end(process)
        _process.cache_clear()
        raise Fault(
            "another process gives no answer",
            "do not end the process, and do not wait for anything",
        ) from error
    finally:
        watch.cancel()
    made: Digests | Fault | Inapplicable = verdict(answer)
    return made


@cache
def _process() -> subprocess.Popen[bytes]:
    """The process that repeats exercises, which lives as long as this one."""
    own = os.environ.get("PYTHONHASHSEED")
    process = subprocess.Popen(  # noqa: S603 (this interpreter, and our own words)
        [sys.executable, "-c", SERVE, json.dumps(search_path())],
        env={**os.environ, "PYTHONHASHSEED": "2" if own == "1" else "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError), process:
        process.kill()


def serve() -> None:
    """In the other process: answer one question after the other."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a plugin prints is not an answer.
    with suppress(EOFError):
        while True:
            answer = _answer(pickle.load(sys.stdin.buffer))  # noqa: S301 (our own process)
            pickle.dump(answer, answers)
            answers.flush()


def _answer(question: Question) -> tuple[Callable[..., object], object]:
    """The class of the answer, and what it is made of."""
    sys.path[:], files, specimen = question
    try:
        with guard("it"):
            for module, file in files.items():
                if file is not None and module.startswith(SINGLE_FILE):
                    import_file(Path(file))
                elif getattr(sys.modules.get(module), "__file__", file) != file:
                    del sys.modules[module]  # Another folder has a module of the same name.
            exercises = exercises_of(pickle.loads(specimen))  # noqa: S301
    except PluginFailure as failure:
        return Inapplicable, f"another process cannot find its class: {failure.told}"
    try:
        with guard("it", Inapplicable):
            return dict, next(exercises).digests()
    except Inapplicable as reason:
        return Inapplicable, f"another process cannot find its class: {reason}"
    except PluginFailure as failure:
        return Fault, f"in another process it raises {failure.told}"
