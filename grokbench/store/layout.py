"""Whether a sealed file has everything that the rest of grokbench reads from it.

The seal finds damage. A sealed file may still come from another program, or from a script that used
grokbench's own functions. Such a file is refused with a message, so that no reader meets half a dataset.
docs/results.md describes the layout.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeVar, cast

import numpy as np
import xarray as xr
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from grokbench.definition import mistakes_in
from grokbench.errors import ResultsError
from grokbench.record import Status
from grokbench.schema import GRID, QUANTITY, SIZE_COORDINATES, VARIABLES

T = TypeVar("T")

KINDS = {"float32": "f", "int8": "iu", "int32": "iu", "object": "OUS"}
"""The kinds of numpy dtypes that a variable of `schema.VARIABLES` may have in a file."""


class SuiteEntry(TypedDict):
    name: str
    text: str
    sha256: NotRequired[str]
    folder: NotRequired[str]


class GitEntry(TypedDict):
    revision: str
    dirty: bool | None


Moment = Annotated[str, AfterValidator(lambda text: datetime.fromisoformat(text) and text)]


class SittingEntry(TypedDict, total=False):
    """A sitting of another version may lack some of these."""

    finished: Moment
    seconds: float
    suite_sha256: str
    device: str
    processor: str
    platform: str
    python: str
    grokbench: str
    packages: dict[str, str]
    plugins: dict[str, str]
    plugin_sha256: dict[str, str]
    git: GitEntry | None


class ChoiceEntry(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    name: str
    options: dict[str, Any]
    version: int


class DeclaredEntry(TypedDict):
    detector: ChoiceEntry
    experiments: dict[str, str]
    where: dict[str, Any]
    cells: dict[str, dict[str, list[Any]]]
    rule: Annotated[dict[Literal["at_least", "at_most"], float], Field(max_length=1)]
    minimum_seeds: int
    sequential: NotRequired[dict[str, Any]]


class ClaimEntry(TypedDict):
    sha256: str
    declared: DeclaredEntry


class CodeEntry(TypedDict):
    plugin: str
    sha256: str


class Declarations(TypedDict):
    """What `grokbench.suite.declarations` makes, as a record file carries it."""

    since: str
    claims: dict[str, ClaimEntry]
    plugins: dict[str, CodeEntry]


class DeclarationsOfRuns(Declarations):
    runs: list[str]


class Provenance(TypedDict):
    """The attribute `grokbench` of the root group."""

    suite: SuiteEntry
    sittings: list[SittingEntry]
    declarations: NotRequired[list[DeclarationsOfRuns]]


Named = Annotated[list[str], Field(min_length=1)]
ATTRIBUTES: Mapping[str, Any] = {
    "task": ChoiceEntry,
    "architecture": ChoiceEntry,
    "recipe": dict[str, str | float | ChoiceEntry | list[Any]],
    "parts": Named,
    "measures": list[ChoiceEntry],
    "quantities": list[str],
}
"""The attributes of an experiment's group that are JSON texts, and what is in them."""

OPTIONAL = {"measures", "quantities"}


_adapter = cache(TypeAdapter[Any])


def parsed(text: Any, layout: type[T], source: str) -> T:
    """The value of a JSON text.

    Args:
        text: the text.
        layout: the type of its value.
        source: where the text is, for the message.

    Raises:
        ResultsError: the text is no JSON, or its value is of another type.
    """
    if not isinstance(text, str):
        raise _refused(source, f"is no text, but {type(text).__name__}")
    try:
        value: T = json.loads(text)
        _adapter(cast(Hashable, layout)).validate_python(value)
    except ValidationError as error:
        raise _refused(source, str(mistakes_in(error, {})[0])) from None
    except (ValueError, RecursionError) as error:
        raise _refused(source, f"is not JSON: {error}") from None
    return value


def check_provenance(tree: xr.DataTree, source: str) -> None:
    """Check the attribute `grokbench`.

    Raises:
        ResultsError: the attribute is missing, or not as `collect_provenance` makes it.
    """
    if "grokbench" not in tree.attrs:
        raise _refused(source, "the attribute `grokbench` is missing")
    parsed(tree.attrs["grokbench"], Provenance, f"{source}, attribute `grokbench`")


def check_experiments(tree: xr.DataTree, source: str) -> None:
    """Check that each group has the variables, coordinates and attributes of an experiment.

    Raises:
        ResultsError: a group lacks something, or has something of another shape or type.
    """
    for name, group in tree.children.items():
        place = f"{source}, experiment {name!r}"
        data = group.to_dataset()
        attributes = {
            attribute: parsed(
                data.attrs.get(attribute), layout, f"{place}, attribute `{attribute}`"
            )
            for attribute, layout in ATTRIBUTES.items()
            if attribute in data.attrs or attribute not in OPTIONAL
        }
        for wrong in _wrong_variables(data, attributes):
            raise _refused(place, wrong)
        for wrong in _wrong_coordinates(data):
            raise _refused(place, wrong)


def _wrong_variables(data: xr.Dataset, attributes: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the variables of an experiment."""
    if "status" not in data or data["status"].dims[-3:] != GRID:
        yield f"the variable `status` is missing, or its last dimensions are not {', '.join(GRID)}"
        return
    measured = dict.fromkeys(attributes.get("quantities", ()), QUANTITY)
    for name, variable in {**VARIABLES, **measured}.items():
        axes = [axis for axis in variable.axes if axis != "part" or "part" in data.dims]
        expected = (*data["status"].dims, *axes)
        if name not in data:
            yield f"the variable `{name}` is missing"
        elif data[name].dims != expected:
            yield f"the variable `{name}` has the dimensions {data[name].dims}, not {expected}"
        elif data[name].dtype.kind not in KINDS[variable.dtype]:
            yield f"the variable `{name}` is of type {data[name].dtype}, not {variable.dtype}"
    if not np.isin(data["status"], list(Status)).all():
        yield f"the variable `status` has a value that is none of {[*map(int, Status)]}"
    named, parts = len(attributes["parts"]), data.sizes.get("part", 1)
    if named != parts:
        yield f"the attribute `parts` names {named} parts, and the curves have {parts}"


def _wrong_coordinates(data: xr.Dataset) -> Iterator[str]:
    """What is wrong with the coordinates of an experiment, whose variables are right."""
    for name in (*data["status"].dims, "step"):
        if name not in data.indexes or not data.sizes[name] or not data.indexes[name].is_unique:
            yield f"the coordinate `{name}` is missing, is empty or has a label twice"
    for name in ("data_size", "seed", "step", *SIZE_COORDINATES):
        if name not in data.coords or data[name].dtype.kind not in "iu":
            yield f"the coordinate `{name}` is missing, or does not hold whole numbers"
        elif name in SIZE_COORDINATES and data[name].dims != ("model_size",):
            yield f"the coordinate `{name}` does not lie along `model_size`"
    if np.any(np.diff(data["step"].to_numpy()) <= 0):
        yield "the steps do not increase"


def _refused(place: str, wrong: str) -> ResultsError:
    return ResultsError(
        f"{place}: {wrong}. The seal is right, but the file is not as grokbench writes it. Restore the file "
        f"from a copy, or move it away and run the suite again"
    )
