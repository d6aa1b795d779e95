"""Asks a detector for a finding: the one way from the claims to a detector's code."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, OutOfReachError, PluginFailure
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import guard, message_of
from grokbench.suite.model import Claim

LARGEST = 2**63
"""Whole numbers from here on fit into no integer of numpy or JSON readers."""

NO_WORDS = "the detector has too little data, and does not say what is lacking"

DEEPEST = 50
"""How many lists and tables may stand within each other in a finding's details."""


def find(
    claim: Claim, detector: Detector, data: Mapping[str, xr.Dataset], confidence: float
) -> Finding:
    """What a claim's detector finds, at a confidence.

    Args:
        claim: the claim.
        detector: its detector.
        data: one dataset for each role, with the claim's selection applied. The detector may write into
            them, so give copies (`copied`).
        confidence: of the finding's interval.

    Returns:
        A finding of Python's own numbers, texts, lists and tables, which can be written as JSON.

    Raises:
        NotEnoughDataError, OutOfReachError: the detector says so, in words that can be written.
        PluginFailure: the detector raised another error, or its finding is malformed.
    """
    owner = owner_of(claim)
    with guard(owner, NotEnoughDataError):
        try:
            found = detector.at(confidence).find(dict(data))
        except NotEnoughDataError as error:
            # A plugin may have a class of its own, whose words cannot be written.
            kind = OutOfReachError if isinstance(error, OutOfReachError) else NotEnoughDataError
            raise kind(message_of(error) or NO_WORDS) from error
        return _checked(found, owner)


def owner_of(claim: Claim) -> str:
    """A claim's detector in words."""
    return f"detector {claim.detector.name!r}"


def copied(data: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Copies of values, coordinates and attributes: other claims look at the same datasets."""
    return {role: _copied(dataset) for role, dataset in data.items()}


def _copied(dataset: xr.Dataset) -> xr.Dataset:
    # A deep copy shares the labels of the axes, which pandas takes for unchangeable.
    labels = {
        name: (dataset[name].dims, dataset[name].to_numpy().copy(), deepcopy(dataset[name].attrs))
        for name in dataset.indexes
    }
    return dataset.copy(deep=True).assign_coords(labels)


def _checked(found: object, owner: str) -> Finding:
    """The finding in Python's own types.

    Raises:
        PluginFailure: it is no finding, or something in it has the wrong type.
    """
    if not isinstance(found, Finding):
        raise PluginFailure(owner, f"returned {type(found).__name__}; return a grokbench.Finding")
    details = found.details
    if not isinstance(details, Mapping):
        raise _wrong(owner, "details are", details, "write a dict")
    return Finding(
        effect=_number(found.effect, "effect is", owner),
        low=_number(found.low, "low is", owner),
        high=_number(found.high, "high is", owner),
        unit=_text(found.unit, "unit is", owner),
        seeds=_count(found.seeds, owner),
        evidence=_text(found.evidence, "evidence is", owner),
        details=_plain(details, owner, DEEPEST),
    )


def _wrong(owner: str, what: str, value: object, instead: str) -> PluginFailure:
    # Only these types are sure to have short words that can be written.
    shown = repr(value) if type(value) in (bool, float, type(None)) else type(value).__name__
    return PluginFailure(owner, f"returned a finding whose {what} {shown}; {instead}")


def _number(value: Any, what: str, owner: str) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
        raise _wrong(owner, what, value, "write a float")
    try:
        return float(value)
    except OverflowError:
        raise PluginFailure(
            owner, f"returned a finding whose {what} too large for a float; write a float"
        ) from None


def _count(value: Any, owner: str) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool | np.bool_):
        raise _wrong(owner, "seeds are", value, "write an int")
    if not 0 <= int(value) < LARGEST:
        raise PluginFailure(
            owner, "returned a finding whose seeds are no number of seeds; write how many there are"
        )
    return int(value)


def _text(value: Any, what: str, owner: str) -> str:
    if not isinstance(value, str):
        raise _wrong(owner, what, value, "write a str")
    # The method of `str` itself, because a plugin may give a subclass.
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PluginFailure(
            owner,
            f"returned a finding whose {what} no text that can be written as UTF-8; "
            f"leave out lone surrogates",
        ) from None
    return text


def _plain(value: Any, owner: str, depth: int) -> Any:
    """A value of the details in the types of JSON; what JSON has no type for becomes its text.

    Infinities and NaN stay; the document of the verdicts writes them in its own way.
    """
    if depth == 0:
        raise PluginFailure(
            owner,
            f"returned a finding whose details are more than {DEEPEST} lists and tables deep, or "
            f"contain themselves; write numbers, text, and lists and tables of them",
        )
    if isinstance(value, Mapping):
        return {
            _text(key if isinstance(key, str) else str(key), "details have a key that is", owner): (
                _plain(one, owner, depth - 1)
            )
            for key, one in value.items()
        }
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), owner, depth - 1)
    if isinstance(value, list | tuple):
        return [_plain(one, owner, depth - 1) for one in value]
    if isinstance(value, set | frozenset):
        # The order of a set is another one in each process.
        return sorted((_plain(one, owner, depth - 1) for one in value), key=repr)
    return _scalar(value, owner)


def _scalar(value: Any, owner: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        if not -LARGEST <= value < LARGEST:
            raise PluginFailure(
                owner,
                "returned a finding whose details have a whole number of more than 64 bits; "
                "write such a number as text",
            )
        return int(value)
    words = value if isinstance(value, str) else str(value)
    return _text(words, "details have a text that is", owner)
