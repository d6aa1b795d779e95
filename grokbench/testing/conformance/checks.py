"""A check: one promise of a definition, examined by trying.

A check is a function of a specimen. It returns what is worth knowing, or None. It raises `Fault`
when the promise is broken (`must` and `must_work` do), and `Inapplicable` when there is nothing that
it could examine. Why the promise matters, and how to keep it, stand beside it in `@promises`.
"""

from __future__ import annotations

import json
import unittest
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from grokbench.errors import PluginFailure
from grokbench.plugins import guard

if TYPE_CHECKING:
    import pytest

    from grokbench.architectures.base import Architecture
    from grokbench.definition import Definition
    from grokbench.tasks.base import Task
    from grokbench.testing.simulator import World

KINDS = {
    "task": ("grokbench.tasks.base", "Task"),
    "architecture": ("grokbench.architectures.base", "Architecture"),
    "optimizer": ("grokbench.optimizers.base", "Optimizer"),
    "measure": ("grokbench.measures.base", "Measure"),
    "detector": ("grokbench.phenomena.base", "Detector"),
}
"""Kind of definition → the module and the name of its base class."""

EVERY_KIND = "definition"


class Fault(AssertionError):  # noqa: N818 (what a check finds, not what goes wrong in it)
    """A broken promise: what was seen, why it matters, and what to write instead."""

    def __init__(self, what: str, instead: str = "", why: str = "") -> None:
        self.what, self.why, self.instead = what, why, instead
        super().__init__("; ".join(filter(None, (what, why, instead))))


class Inapplicable(unittest.SkipTest):
    """The check has nothing to examine, and why. pytest and unittest skip the test."""


class CheckOutcome(Enum):
    """How a check ended."""

    OK = "ok"
    FAILED = "FAILED"
    EXPECTED = "expected"
    """It failed, and its failure was expected."""
    SKIPPED = "skipped"


@dataclass(frozen=True, eq=False)
class Specimen:
    """A class that a plugin registers, options, and what it is examined with: see `checks_for`."""

    definition: type[Definition]
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: Sequence[Task] = ()
    worlds: Sequence[World] = ()
    architectures: Sequence[Architecture] = ()

    def make(self) -> Any:
        """A new instance.

        Raises:
            Inapplicable: there can be none, which `can_be_made` reports.
        """
        with reported_by("can_be_made"):
            return self.definition.from_options(self.options)


@dataclass(frozen=True)
class Result:
    """How one check of one definition ended.

    `message` is the fault, the reason, or what is worth knowing; it may be empty.
    """

    subject: str
    check: str
    outcome: CheckOutcome
    message: str = ""

    def __str__(self) -> str:
        told = f": {self.message}" if self.message else ""
        return f"{self.outcome.value:<8} {self.subject}: {self.check}{told}"

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {**asdict(self), "outcome": self.outcome.value}


@dataclass(frozen=True)
class Promise:
    """What definitions of one kind promise.

    Attributes:
        examine: tries it; the first line of its docstring says what is promised.
        why: it matters.
        instead: what to write where it is broken, unless a fault says so itself.
    """

    examine: Callable[[Any], str | None]
    why: str
    instead: str

    @property
    def name(self) -> str:
        return self.examine.__name__

    @property
    def sentence(self) -> str:
        return (self.examine.__doc__ or "").strip().split("\n")[0].removesuffix(".")


PROMISES: dict[str, list[Promise]] = defaultdict(list)
"""Kind of definition → its promises, in the order of the files."""

Examination = Callable[[Any], str | None]


def promises(kind: str, why: str, instead: str = "") -> Callable[[Examination], Examination]:
    """Make a function a check of a kind."""

    def registered(examination: Examination) -> Examination:
        PROMISES[kind].append(Promise(examination, why, instead))
        return examination

    return registered


@dataclass(frozen=True, eq=False)
class Check:
    """One promise of one definition, or of a whole plugin; calling the check examines the promise.

    Attributes:
        subject: what is examined, in words: "task majority".
        promise: what is promised.
        specimen: the definition or the plugin.
        expected: why the check may fail; empty if it must not.
    """

    subject: str
    promise: Promise = field(repr=False)
    specimen: Any = field(repr=False)
    expected: str = ""

    @property
    def name(self) -> str:
        """A failure is expected by this name."""
        return self.promise.name

    @property
    def id(self) -> str:
        """`task majority: splits_are_disjoint`."""
        return f"{self.subject}: {self.name}"

    def __call__(self) -> str:
        """What is worth knowing; may be empty.

        Global state is restored afterwards. Warnings are ignored.

        Raises:
            Fault: the promise is broken.
            Inapplicable: there is nothing to examine.
        """
        __tracebackhide__ = True  # pytest then shows the test and the fault, not the kit's lines
        promise = self.promise
        try:
            with guard("it", Inapplicable, Fault), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return promise.examine(self.specimen) or ""
        except Inapplicable as reason:
            raise reason.with_traceback(None) from reason.__cause__
        except Fault as found:
            instead, why = found.instead or promise.instead, found.why or promise.why
            raise Fault(found.what, instead, why) from found.__cause__
        except PluginFailure as failure:
            raise Fault(
                f"it raises {failure.told}",
                "raise only the errors that the contract names",
                f"the check could not see this: {promise.sentence}",
            ) from failure.error

    def result(self) -> Result:
        """Run the check; never raises."""
        try:
            outcome, message = CheckOutcome.OK, self()
        except Inapplicable as error:
            return Result(self.subject, self.name, CheckOutcome.SKIPPED, str(error))
        except Fault as fault:
            outcome, message = CheckOutcome.FAILED, str(fault)
        if self.expected and outcome is CheckOutcome.FAILED:
            outcome, message = CheckOutcome.EXPECTED, f"{self.expected} ({message})"
        elif self.expected:
            outcome = CheckOutcome.FAILED
            message = (
                f"it was expected to fail ({self.expected}) and does not; "
                f"remove {self.name!r} from the expected failures"
            )
        return Result(self.subject, self.name, outcome, message)

    def marks(self) -> list[pytest.MarkDecorator]:
        """For pytest: an expected failure is a strict xfail."""
        import pytest

        xfail = pytest.mark.xfail(raises=Fault, reason=self.expected, strict=True)
        return [xfail] if self.expected else []


def must(holds: object, what: str, instead: str = "") -> None:
    """Raise `Fault` with what was seen, unless the promise holds."""
    if not holds:
        raise Fault(what, instead)


@contextmanager
def must_work(doing: str, instead: str = "") -> Iterator[None]:
    """Errors inside are faults: `doing` raises the error."""
    try:
        with guard(doing, Fault, Inapplicable, switches={}):
            yield
    except PluginFailure as failure:
        raise Fault(f"{doing} raises {failure.told}", instead) from failure.error


@contextmanager
def reported_by(check: str) -> Iterator[None]:
    """Errors inside are reported by one check alone; every other check becomes inapplicable."""
    try:
        with guard(check, Inapplicable, switches={}):
            yield
    except PluginFailure as failure:
        raise Inapplicable(f"see {check}") from failure.error


def must_be_none_or_words(call: str, answer: Any, *again: Any) -> None:
    """The answer of a call is None or a text, and the same when it is asked for again."""
    words = answer is None or (isinstance(answer, str) and answer.strip())
    instead = "return None, or a sentence that says what to write instead"
    must(words, f"{call} gives {answer!r}", instead)
    for other in again:
        twice = f"{call} gives {answer!r}, and then {other!r}"
        must(other == answer, twice, "decide by the arguments and the options alone")


def read_from_json(values: Any, whose: str, instead: str = "", *, nan: bool = False) -> Any:
    """The values after they were written as JSON, in which NaN may be allowed, and read again."""
    try:
        return json.loads(json.dumps(values, allow_nan=nan))
    except (TypeError, ValueError) as error:
        raise Fault(f"{whose} cannot be written as JSON: {error}", instead) from error


def fault_of(problem: str, instead: str = "", where: str = "") -> Fault:
    """The fault that grokbench reports in one text: what is wrong, and what to write instead."""
    what, _, own = problem.partition("; ")
    return Fault(f"{what}{where}", own or instead)


def listed(values: Sequence[object], most: int = 4) -> str:
    """The first few values, and the number of the others."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"


def base_of(kind: str) -> type[Definition]:
    """The class that every definition of a kind extends."""
    module, name = KINDS[kind]
    base: type[Definition] = getattr(import_module(module), name)
    return base


def kind_of(definition: type[Definition]) -> str:
    """`task`, `architecture`, …

    Raises:
        TypeError: the class is none of them.
    """
    for kind in KINDS:
        if issubclass(definition, base_of(kind)):
            return kind
    known = ", ".join(name for _, name in KINDS.values())
    raise TypeError(f"{definition.__name__} is not a subclass of one of {known}")
