"""The errors that grokbench raises on purpose.

    GrokbenchError
    ├── SuiteError          a suite file has mistakes; lists them all
    ├── PluginError         a plugin could not be loaded, or registered something unusable
    ├── UnknownNameError    a name that no plugin registered, or that the suite does not have
    ├── OptionsError        options that a definition does not accept
    ├── ResultsError        results that are missing or damaged, or cannot be written
    ├── DeviceError         a device that is not there, or cannot compute as a run asks
    └── NotEnoughDataError  too few runs, sizes or seeds for a detector

Each message says what is wrong, where, why, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class GrokbenchError(Exception):
    """The base of all errors that grokbench raises on purpose."""


@dataclass(frozen=True)
class Mistake:
    """A mistake in a suite file: its place (`experiments.addition.seeds[2]`) and a message."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class SuiteError(GrokbenchError):
    """A suite file with mistakes. `mistakes` lists them all in the order of the file."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {m}" for m in self.mistakes)]))


class PluginError(GrokbenchError):
    """A plugin that could not be loaded, or that registered something unusable."""


class UnknownNameError(GrokbenchError, KeyError):
    """A name that no plugin registered. Also a `KeyError`, because catalogues are mappings."""

    __str__ = Exception.__str__


class OptionsError(GrokbenchError):
    """Options that a definition does not accept. Places are relative to the options."""

    def __init__(self, owner: str, mistakes: Sequence[Mistake]) -> None:
        self.owner = owner
        self.mistakes = tuple(mistakes)
        super().__init__(f"{owner}: " + "; ".join(str(m) for m in self.mistakes))


class ResultsError(GrokbenchError):
    """Results that are missing, damaged, not written by grokbench, or cannot be written."""


class DeviceError(GrokbenchError):
    """A device that torch or this machine does not have, or that lacks a precision."""


class NotEnoughDataError(GrokbenchError):
    """The data has too few runs, sizes or seeds for a detector."""


class OutOfReachError(NotEnoughDataError):
    """No number of seeds on this grid can test the claim: within the steps, nothing generalizes.

    A detector raises this error where every run stays below the ability that the claim is about.
    The message says what was not reached, and what to change in the grid or the recipe.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: `did you mean 'x'?`, or the list of all known names."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + (", ".join(names) if names else "none")
