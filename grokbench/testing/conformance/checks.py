"""A check: one thing that a plugin's definition promises, examined by trying.

A check is a function of a specimen. It returns what is worth knowing (or nothing), raises `Fault`
when the promise is broken, and `Inapplicable` when there is nothing here that it could examine.
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
    """A promise that is broken: what was seen, why it matters, and what to write instead."""

    def __init__(self, what: str, why: str, instead: str) -> None:
        self.what, self.why, self.instead = what, why, instead
        super().__init__(f"{what}; {why}; {instead}")


class Inapplicable(unittest.SkipTest):
    """There is nothing that the check could examine, and why; pytest and unittest skip it."""


class CheckOutcome(Enum):
    """What came of a check."""

    OK = "ok"
    FAILED = "FAILED"
    EXPECTED = "expected"
    """It failed, as it was expected to."""
    SKIPPED = "skipped"


@dataclass(frozen=True, eq=False)
class Specimen:
    """A definition with options, and what it is examined with.

    Attributes:
        definition: the class that a plugin registers.
        options: those it is made with.
        tasks: what an architecture or a measure is tried on, beside the kit's own.
        worlds: what a detector is shown, beside the kit's own.
        architectures: what a measure is tried on, beside grokbench's dense transformer.
    """

    definition: type[Definition]
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: Sequence[Task] = ()
    worlds: Sequence[World] = ()
    architectures: Sequence[Architecture] = ()

    @property
    def name(self) -> str:
        return self.definition.name

    def make(self) -> Any:
        """A fresh one.

        Raises:
            Inapplicable: it cannot be made, which is a fault that `can_be_made` finds.
        """
        with once("can_be_made"):
            return self.definition.from_options(self.options)


@contextmanager
def once(finder: str) -> Iterator[None]:
    """What is raised within is left to one check to report, and makes others inapplicable."""
    try:
        yield
    except Inapplicable:
        raise
    except (Exception, SystemExit) as error:
        raise Inapplicable(f"see {finder}") from error


@dataclass(frozen=True)
class Result:
    """What came of one check of one definition.

    `message` is the fault, the reason, or what is worth knowing; empty when there is nothing to say.
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
    """One promise of one definition, or of a plugin as a whole; calling it examines it.

    Attributes:
        subject: what is examined, in words: "task majority".
        name: the check's, by which a failure can be expected.
        sentence: what is promised.
        examine: tries it.
        expected: why it may fail; empty when it may not.
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
        """What is worth knowing; empty when there is nothing to say.

        Global state is as before afterwards, and warnings are nobody's failure.

        Raises:
            Fault: the promise is broken.
            Inapplicable: there is nothing to examine.
        """
        __tracebackhide__ = True  # pytest shows the test and the fault, not how the kit found it
        with kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.examine() or ""
            except (Fault, Inapplicable) as found:
                raise found.with_traceback(None) from found.__cause__
            except (Exception, SystemExit) as error:
                raise Fault(
                    f"it raises {describe(error)}",
                    f"so it could not be seen that {lower_first(self.sentence)}",
                    "let nothing be raised but what the contract names",
                ) from error

    def result(self) -> Result:
        """Examine it, whatever comes of it."""
        try:
            note = self()
        except Inapplicable as error:
            return Result(self.subject, self.name, CheckOutcome.SKIPPED, str(error))
        except Fault as fault:
            if self.expected:
                message = f"{self.expected} ({fault})"
                return Result(self.subject, self.name, CheckOutcome.EXPECTED, message)
            return Result(self.subject, self.name, CheckOutcome.FAILED, str(fault))
        if self.expected:
            message = (
                f"it was expected to fail ({self.expected}) and does not; "
                f"take {self.name!r} out of the expected failures"
            )
            return Result(self.subject, self.name, CheckOutcome.FAILED, message)
        return Result(self.subject, self.name, CheckOutcome.OK, note)


Examination = Callable[[Specimen], str | None]

EXAMINATIONS: dict[str, dict[str, Examination]] = defaultdict(dict)
"""Kind of definition → name of a check → what examines it, in the order of the files."""

EVERY_KIND = "definition"


def promises(kind: str) -> Callable[[Examination], Examination]:
    """Make a function one of the checks of a kind of definition: its docstring is the promise."""

    def registered(examination: Examination) -> Examination:
        EXAMINATIONS[kind][examination.__name__] = examination
        return examination

    return registered


def sentence_of(examination: Callable[..., Any]) -> str:
    """The first line of its docstring."""
    return (examination.__doc__ or "").strip().split("\n")[0].removesuffix(".")


def lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def listed(values: Sequence[object], most: int = 4) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
