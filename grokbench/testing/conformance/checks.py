"""A check: one promise of a definition, examined by trying.

A check is a function of a specimen. It returns what is worth knowing, or None. It raises `Fault`
when the promise is broken, and `Inapplicable` when there is nothing that it could examine.
"""

from __future__ import annotations

import unittest
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from grokbench.plugins import describe
from grokbench.testing.conformance.global_state import kept

if TYPE_CHECKING:
    from grokbench.architectures.base import Architecture
    from grokbench.definition import Definition
    from grokbench.tasks.base import Task
    from grokbench.testing.simulator import World


class Fault(AssertionError):  # noqa: N818 (what a check finds, not what goes wrong in it)
    """A broken promise: what was seen, why it matters, and what to write instead."""

    def __init__(self, what: str, why: str, instead: str) -> None:
        self.what, self.why, self.instead = what, why, instead
        super().__init__(f"{what}; {why}; {instead}")


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
    """A definition with options, and what it is examined with.

    Attributes:
        definition: the class that a plugin registers.
        options: the options of the instances that are examined.
        tasks: for an architecture or a measure, in addition to the kit's own tasks.
        worlds: for a detector, in addition to the kit's own simulated experiments.
        architectures: for a measure, in addition to grokbench's dense transformer.
    """

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


@contextmanager
def reported_by(check: str) -> Iterator[None]:
    """Errors inside are reported by one check alone; every other check becomes inapplicable."""
    try:
        yield
    except Inapplicable:
        raise
    except (Exception, SystemExit) as error:
        raise Inapplicable(f"see {check}") from error


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


@dataclass(frozen=True, eq=False)
class Check:
    """One promise of one definition, or of a whole plugin; calling the check examines the promise.

    Attributes:
        subject: what is examined, in words: "task majority".
        name: of the check; a failure is expected by this name.
        sentence: what is promised.
        examine: tries it.
        expected: why the check may fail; empty if it must not.
    """

    subject: str
    name: str
    sentence: str
    examine: Callable[[], str | None] = field(repr=False)
    expected: str = ""

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
        __tracebackhide__ = (
            True  # pytest then shows the test and the fault, not the kit's own lines
        )
        with kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.examine() or ""
            except (Fault, Inapplicable) as found:
                raise found.with_traceback(None) from found.__cause__
            except (Exception, SystemExit) as error:
                raise Fault(
                    f"it raises {describe(error)}",
                    f"the check could not see this: {self.sentence}",
                    "raise only the errors that the contract names",
                ) from error

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


Examination = Callable[[Any], str | None]

EXAMINATIONS: dict[str, dict[str, Examination]] = defaultdict(dict)
"""Kind of definition → name of a check → its function, in the order of the files."""

EVERY_KIND = "definition"


def promises(kind: str) -> Callable[[Examination], Examination]:
    """Make a function a check of a kind; the first line of its docstring is the promise."""

    def registered(examination: Examination) -> Examination:
        EXAMINATIONS[kind][examination.__name__] = examination
        return examination

    return registered


def sentence_of(examination: Callable[..., Any]) -> str:
    """The first line of its docstring."""
    return (examination.__doc__ or "").strip().split("\n")[0].removesuffix(".")


def must_be_none_or_words(answer: Any, call: str, about: object = None) -> None:
    """Raise `Fault` unless the answer of a call, about something, is None or a text."""
    if answer is not None and not (isinstance(answer, str) and answer.strip()):
        raise Fault(
            f"{call} gives {answer!r}" + (f" for {about}" if about else ""),
            "the author of the suite reads it",
            "return None, or a sentence that says what to write instead",
        )


def listed(values: Sequence[object], most: int = 4) -> str:
    """The first few values, and the number of the others."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
