"""Definitions tried in other processes: one that imports a plugin, and one that repeats exercises.

Python salts hash("…") at every start, and the order of a set of strings follows from the salt
(PYTHONHASHSEED). Results that depend on the salt are always the same in one process, and differ in
the next. The process that repeats exercises is started once, with another salt.
"""

from __future__ import annotations

import atexit
import base64
import io
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grokbench.plugins import describe
from grokbench.plugins.loading import import_file
from grokbench.testing.conformance.checks import Fault, Inapplicable, Specimen
from grokbench.testing.conformance.exercises import Digests, exercises_of
from grokbench.testing.conformance.global_state import kept

PATIENCE = 120.0
"""Seconds after which another process is ended."""

SINGLE_FILE = "grokbench_file_"
"""How the module's name begins when `import_file` has imported it."""

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
                "every command would wait for it",
                "do not wait for a network, a lock or input at the top of a module",
            ) from error
        if not answer.exists():
            lines = done.stderr.strip().splitlines()
            raise Fault(
                f"imported in a process of its own it fails: "
                f"{lines[-1] if lines else f'the process ends with {done.returncode}'}",
                "worker processes import it in this way",
                "do not depend on what another module has set up, and do not end the process",
            )
        seconds, modules, changed = json.loads(answer.read_text(encoding="utf-8"))
    return Import(seconds, tuple(modules), tuple(changed), done.stdout.strip())


def digests_elsewhere(specimen: Specimen) -> Digests:
    """The digests of the specimen's first exercise, as another process computes them.

    Raises:
        Inapplicable: the other process cannot find the specimen's classes.
        Fault: the exercise fails there.
    """
    classes = [specimen.definition, *map(type, (*specimen.tasks, *specimen.architectures))]
    files = {
        one.__module__: getattr(sys.modules.get(one.__module__), "__file__", None)
        for one in classes
    }
    try:
        content = io.BytesIO()
        _ByName(content).dump(specimen)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Inapplicable(f"another process cannot find its class: {error}") from error
    answer = _asked(
        {
            "path": search_path(),
            "files": files,
            "specimen": base64.b64encode(content.getvalue()).decode(),
        }
    )
    if "absent" in answer:
        raise Inapplicable(f"another process cannot find its class: {answer['absent']}")
    if "error" in answer:
        raise Fault(
            f"in another process it raises {answer['error']}",
            "worker processes use it in this way",
            "do not depend on what another module has set up, on hash() or on the order of a set",
        )
    found: Digests = answer["digests"]
    return found


class _ByName(pickle.Pickler):
    """Refers to classes of single files by name: a file may have been imported again since."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and value.__module__.startswith(SINGLE_FILE):
            return _class_of, (value.__module__, value.__qualname__)
        return NotImplemented


def _class_of(module: str, name: str) -> Any:
    return reduce(getattr, name.split("."), sys.modules[module])


def search_path() -> list[str]:
    """Where modules are looked for."""
    return [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109


def _asked(question: Mapping[str, Any]) -> dict[str, Any]:
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        line = ""
    finally:
        watch.cancel()
    if not line:
        _end(process)
        _process.cache_clear()
        raise Fault(
            "another process gives no answer",
            "worker processes use it in this way",
            "do not end the process, and do not wait for anything",
        )
    answer: dict[str, Any] = json.loads(line)
    return answer


@cache
def _process() -> subprocess.Popen[str]:
    """The process that repeats exercises, which lives as long as this one."""
    own = os.environ.get("PYTHONHASHSEED")
    process = subprocess.Popen(  # noqa: S603 (this interpreter, and our own words)
        [sys.executable, "-c", SERVE, json.dumps(search_path())],
        env={**os.environ, "PYTHONHASHSEED": "2" if own == "1" else "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(OSError), process:
        process.kill()


def serve() -> None:
    """In the other process: answer one question a line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What a plugin prints is not an answer.
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(question: Mapping[str, Any]) -> dict[str, Any]:
    sys.path[:] = question["path"]
    with kept():
        try:
            for module, file in question["files"].items():
                if module.startswith(SINGLE_FILE):
                    import_file(Path(file))
                elif getattr(sys.modules.get(module), "__file__", file) != file:
                    del sys.modules[module]  # Another folder has a module of the same name.
            specimen = pickle.loads(base64.b64decode(question["specimen"]))  # noqa: S301
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything)
            return {"absent": describe(error)}
        try:
            return {"digests": next(exercises_of(specimen)).digests()}
        except Inapplicable as reason:
            return {"absent": str(reason)}
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return {"error": describe(error)}
