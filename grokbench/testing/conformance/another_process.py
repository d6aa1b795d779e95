"""Examples and weights made again in a process that orders its sets of strings in another way.

Python draws a secret at every start, on which hash("…") and the order of a set of strings depend
(PYTHONHASHSEED). What depends on them is the same as often as one looks in one process, and another
in the next. One such process is started when it is first needed, and serves until this one ends.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from grokbench.plugins import describe
from grokbench.plugins.loading import import_file
from grokbench.randomness import Streams
from grokbench.record import ModelSize
from grokbench.testing.conformance.checks import Fault, Inapplicable

if TYPE_CHECKING:
    from grokbench.definition import Definition
    from grokbench.tasks.base import Task
    from grokbench.testing.conformance.stacks import Setting

PATIENCE = 120.0
"""Seconds after which an answer is not waited for any more."""

START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from grokbench.testing.conformance.another_process import serve
serve()
"""

Digests = list[list[str]]
"""Names of tensors in their order, and a digest of each."""


@dataclass(frozen=True)
class Address:
    """Where another process finds a definition's class, and the options to make it with."""

    module: str
    file: str
    name: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, made: Definition) -> Address:
        """Where it is.

        Raises:
            Inapplicable: its class is not at the top of a module that can be imported.
        """
        owner = type(made)
        module = sys.modules.get(owner.__module__)
        file = getattr(module, "__file__", None)
        if file is None or owner.__module__ == "__main__" or "<" in owner.__qualname__:
            raise Inapplicable(
                f"{owner.__qualname__} is not at the top of a module, where another process "
                "would find it"
            )
        options = made.options.model_dump(mode="json", by_alias=True)
        return cls(owner.__module__, file, owner.__qualname__, options)

    def make(self) -> Any:
        """One of these options.

        Raises:
            LookupError: there is no such class here.
        """
        found: Any = self._module()
        try:
            for name in self.name.split("."):
                found = getattr(found, name)
            return found.from_options(self.options)
        except AttributeError as error:
            raise LookupError(str(error)) from error

    def _module(self) -> Any:
        if self.module.startswith("grokbench_file_"):
            return import_file(Path(self.file))
        module = importlib.import_module(self.module)
        if module.__file__ != self.file:
            del sys.modules[self.module]
            module = importlib.import_module(self.module)
        return module


def examples_elsewhere(task: Task, data_size: int, seed: int) -> Digests:
    """The digests of a task's examples as another process makes them.

    Raises:
        Inapplicable: it does not find the task there.
        Fault: they cannot be made there.
    """
    return asked({"task": asdict(Address.of(task)), "data_size": data_size, "seed": seed})


def weights_elsewhere(setting: Setting) -> Digests:
    """The digests of a model's parameters and buffers as another process builds it.

    Raises:
        Inapplicable: it does not find the architecture, or the task, there.
        Fault: it cannot be built there.
    """
    size = setting.size
    return asked(
        {
            "task": asdict(Address.of(setting.task)),
            "architecture": asdict(Address.of(setting.architecture)),
            "size": [size.hidden_size, size.layers],
        }
    )


def digests(tensors: Iterable[tuple[str, Tensor]]) -> Digests:
    """As they are compared between processes."""
    return [[name, digest(value)] for name, value in tensors]


def digest(value: Tensor) -> str:
    content = value.detach().contiguous().numpy()
    told = f"{content.dtype} {content.shape}".encode()
    return hashlib.sha256(told + content.tobytes()).hexdigest()


def tensors_of(model: nn.Module) -> list[tuple[str, Tensor]]:
    """A model's parameters and buffers, those too that its state_dict() leaves out."""
    return [*model.named_parameters(), *model.named_buffers()]


def asked(question: Mapping[str, Any]) -> Digests:
    process = another_process()
    assert process.stdin is not None
    assert process.stdout is not None
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        process.stdin.write(json.dumps({"path": known(), **question}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or '{"lost": true}')
    except OSError:
        answer = {"lost": True}
    finally:
        watch.cancel()
    if "lost" in answer:
        end(process)
        another_process.cache_clear()
        raise Fault(
            "asked to make it again, another process gives no answer",
            "worker processes make it so",
            "end nothing, and wait for nothing, but what is handed to you",
        )
    if "absent" in answer:
        raise Inapplicable(f"another process does not find it: {answer['absent']}")
    if "error" in answer:
        raise Fault(
            f"made again in another process, it raises {answer['error']}",
            "worker processes make it so",
            "depend on nothing that another module has set up, nor on hash() or the order of a set",
        )
    found: Digests = answer["digests"]
    return found


@cache
def another_process() -> subprocess.Popen[str]:
    """The process, which is started now if it is not there."""
    own = os.environ.get("PYTHONHASHSEED")
    process = subprocess.Popen(  # noqa: S603 (this interpreter, and our own words)
        [sys.executable, "-c", START, json.dumps(known())],
        env={**os.environ, "PYTHONHASHSEED": "2" if own == "1" else "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    atexit.register(end, process)
    return process


def end(process: subprocess.Popen[str]) -> None:
    """End it, if it has not, and close what leads to it."""
    with suppress(OSError), process:
        process.kill()


def known() -> list[str]:
    """Where modules are looked for."""
    return [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109


def serve() -> None:
    """Answer questions, a line each, until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What a plugin prints is no answer.
    for line in sys.stdin:
        print(json.dumps(answer_to(json.loads(line))), file=answers, flush=True)


def answer_to(question: Mapping[str, Any]) -> dict[str, Any]:
    """Digests, or in words why there are none."""
    from grokbench.testing.conformance.global_state import kept

    sys.path[:] = question["path"]
    with kept():
        try:
            made = {
                kind: Address(**question[kind]).make()
                for kind in ("task", "architecture")
                if kind in question
            }
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything)
            return {"absent": describe(error)}
        try:
            return {"digests": digests(made_again(question, **made))}
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return {"error": describe(error)}


def made_again(
    question: Mapping[str, Any], task: Task, architecture: Any = None
) -> list[tuple[str, Tensor]]:
    from grokbench.testing.conformance.stacks import Setting

    if architecture is None:
        examples = task.examples(question["data_size"], Streams(question["seed"]))
        return list(vars(examples).items())
    hidden_size, layers = question["size"]
    return tensors_of(Setting(architecture, task, ModelSize(hidden_size, layers)).model())
