"""The errors that grokbench raises on purpose.

    GrokbenchError
    ├── SuiteError          a suite file has mistakes; lists them all
    ├── PluginError         a plugin could not be loaded, or registered something unusable
    │   └── PluginFailure   the code of a plugin raised what it must not raise, or gave a wrong answer
    ├── UnknownNameError    a name that no plugin registered, or that the suite does not have
    ├── OptionsError        options that a definition does not accept
    ├── ResultsError        results that are missing or damaged, or cannot be written
    ├── DeviceError         a device that is not there, or cannot compute as a run asks
    ├── DataError           data that a task needs are missing on this machine, or damaged
    └── NotEnoughDataError  too few runs, sizes or seeds for a detector

Each message says what is wrong, where, why, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from grokbench.plain import on_one_line


class GrokbenchError(Exception):
    """The base of all errors that grokbench raises on purpose."""


@dataclass(frozen=True)
class Mistake:
    """A mistake in a suite file: its place (`experiments.addition.seeds[2]`) and a message."""

    place: str
    message: str

    def __str__(self) -> str:
        return on_one_line(f"{self.place}: {self.message}" if self.place else self.message)


class SuiteError(GrokbenchError):
    """A suite file with mistakes. `mistakes` lists them all in the order of the file."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        head = f"{on_one_line(source)}: {count}"
        super().__init__("\n".join([head, *(f"  {mistake}" for mistake in self.mistakes)]))


class PluginError(GrokbenchError):
    """A plugin that could not be loaded, or that registered something unusable."""


class PluginFailure(PluginError):  # noqa: N818 - the error is what the plugin raised
    """The code of a plugin raised what its contract does not allow, or gave a wrong answer.

    Attributes:
        owner: who was called, in words: "detector 'dip'".
        told: the error in one line, with the plugin's file and line; or what is wrong with the answer.
        error: what the plugin raised; None for a wrong answer.
        kind: equal for failures at the same place with the same type of error.
    """

    def __init__(
        self, owner: str, told: str, error: BaseException | None = None, place: str = ""
    ) -> None:
        self.owner, self.told, self.error = owner, told, error
        self.kind = told if error is None else f"{type(error).__name__}{place}"
        super().__init__(f"{owner} {told}" if error is None else f"{owner} raised {told}")


class UnknownNameError(GrokbenchError, KeyError):
    """A name that no plugin registered. Also a `KeyError`, because catalogues are mappings."""

    __str__ = Exception.__str__


class OptionsError(GrokbenchError):
    """Options that a definition does not accept. Places are relative to the options."""

    def __init__(self, owner: str, mistakes: Sequence[Mistake]) -> None:
        self.owner = owner
        self.mistakes = tuple(mistakes)
        super().__init__(f"{owner}: " + "; ".join(str(m) for m in self.mistakes))


def lines_of(error: BaseException) -> list[str]:
    """What is printed of an error: one line, and one for each mistake in a suite."""
    if isinstance(error, SuiteError):
        return str(error).split("\n")
    return [on_one_line(error)]


class ResultsError(GrokbenchError):
    """Results that are missing, damaged, not written by grokbench, or cannot be written."""


class DeviceError(GrokbenchError):
    """A device that torch or this machine does not have, or that lacks a precision."""


class DataError(GrokbenchError):
    """Data that a task needs are missing on this machine, or damaged."""


class NotEnoughDataError(GrokbenchError):
    """The data has too few runs, sizes or seeds for a detector."""


class OutOfReachError(NotEnoughDataError):
    """No number of seeds on this grid can test the claim: within the steps, nothing generalizes.

    A detector raises this error where every run stays below the ability that the claim is about.
    The message says what was not reached, and what to change in the grid or the recipe.
    """


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that an unknown name is probably a misspelling of; None if there is none."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: `did you mean 'x'?`, or the list of all known names."""
    names = sorted(known)
    close = meant(name, names)
    if close is not None:
        return f"did you mean {close!r}?"
    return "known: " + (", ".join(names) if names else "none")
