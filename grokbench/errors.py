"""Every error grokbench raises on purpose.

    GrokbenchError
    ├── SuiteError          the suite file is wrong; holds every mistake found in it
    ├── PluginError         a plugin could not be loaded, or registered something unusable
    ├── UnknownNameError    a task, architecture, detector or optimizer that nobody registered
    ├── OptionsError        a plugin was given options that it does not take
    ├── ResultsError        a results file is missing, damaged, or not ours
    ├── DeviceError          a device that is not there
    └── NotEnoughDataError  a detector was shown too little to say anything

Messages say what is wrong, where, why, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class GrokbenchError(Exception):
    """The base of every error that grokbench raises on purpose."""


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in a suite file: its place (`experiments.addition.seeds[2]`) and the remedy."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class SuiteError(GrokbenchError):
    """A suite file that cannot be used; `mistakes` holds all that was found, in file order."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {m}" for m in self.mistakes)]))


class PluginError(GrokbenchError):
    """A plugin that could not be loaded, or that registered something unusable."""


class UnknownNameError(GrokbenchError, KeyError):
    """A name that no plugin registered; a `KeyError` too, since catalogues are mappings."""

    __str__ = Exception.__str__


class OptionsError(GrokbenchError):
    """Options that a plugin does not take; `mistakes` are placed relative to the options."""

    def __init__(self, owner: str, mistakes: Sequence[Mistake]) -> None:
        self.owner = owner
        self.mistakes = tuple(mistakes)
        super().__init__(f"{owner}: " + "; ".join(str(m) for m in self.mistakes))


class ResultsError(GrokbenchError):
    """Results that are missing, damaged, not written by grokbench, or cannot be written."""


class DeviceError(GrokbenchError):
    """A device that torch does not know, or that this machine does not have."""


class NotEnoughDataError(GrokbenchError):
    """A detector was shown too few runs, sizes or seeds to say anything."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` when something is close, otherwise all that is known."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + (", ".join(names) if names else "none")
