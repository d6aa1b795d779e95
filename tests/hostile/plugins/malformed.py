"""A detector whose findings are not what they should be."""

from typing import ClassVar

import numpy as np

from grokbench import Detector, Finding, NotEnoughDataError, Options, hookimpl

CYCLE: dict[str, object] = {}
CYCLE["itself"] = CYCLE


class Mute:
    """An object without words."""

    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


class MuteText(str):
    """A text that is none when it is written."""

    def __str__(self):
        raise SystemExit(0)


class MuteLackError(NotEnoughDataError):
    """Too little data, and no words for it."""

    def __str__(self):
        raise SystemExit(0)


class MalformedOptions(Options):
    gives: str = "none"


class Malformed(Detector):
    """It finds something, and writes it down wrongly."""

    name = "malformed"
    Options = MalformedOptions

    WRONG: ClassVar = {
        "text for a number": {"effect": "0.5"},
        "nothing for an end": {"low": None},
        "an array": {"high": np.zeros(3)},
        "a truth": {"effect": True},
        "10**400": {"effect": 10**400},
        "mute number": {"effect": Mute()},
        "text for seeds": {"seeds": "two"},
        "half a seed": {"seeds": 2.5},
        "10**5000 seeds": {"seeds": 10**5000},
        "fewer than no seeds": {"seeds": -1},
        "a number for words": {"evidence": 3},
        "a lone surrogate": {"evidence": "\ud800"},
        "a lone surrogate in the unit": {"unit": "\udcff"},
        "cyclic details": {"details": CYCLE},
        "text for details": {"details": "all"},
        "mute details": {"details": {"it": Mute()}},
        "a lone surrogate in details": {"details": {"it": "\ud800"}},
        "10**5000 in details": {"details": {"it": 10**5000}},
        "mute key": {"details": {Mute(): 1}},
        "seeds of numpy": {"seeds": np.int64(2), "effect": np.float32(0), "details": {1: {2}}},
        "not a number": {"effect": float("nan")},
        "mute words": {"evidence": MuteText("seen")},
    }

    def find(self, data):
        if self.options.gives == "none":
            return None
        if self.options.gives == "a dict":
            return {"effect": 0.0}
        if self.options.gives == "mute lack":
            raise MuteLackError
        sound = {"effect": 0.0, "low": 0.0, "high": 0.0, "unit": "accuracy", "seeds": 2}
        return Finding(**{**sound, "evidence": "seen", **self.WRONG[self.options.gives]})


@hookimpl
def register_detectors(register):
    register(Malformed)
