"""The tables of a suite file, checked by pydantic. Unknown keys are mistakes."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
)

from grokbench.definition import Location, findings_in
from grokbench.errors import meant, nearest
from grokbench.record import ModelSize
from grokbench.suite.mistakes import Report
from grokbench.suite.model import Expected, Spending

MOST_SEEDS = 100_000
"""More seeds than this are taken for a typing error."""

FARTHEST = 1000
"""The most seeds of a futility stop: asking a detector about more would take minutes."""

LARGEST = 2**63 - 1
"""The largest int64, the type of whole numbers in a dataset."""

LARGEST_STEPS = 10**8
"""More steps than this are taken for a typing error."""

EITHER_BOUND = "write either { at_least = … } or { at_most = … }"

T = TypeVar("T")


def model_size(given: Any) -> ModelSize:
    """64 is one layer of hidden size 64. "8x1024" is eight layers of hidden size 1024."""
    if type(given) is int and 1 <= given <= LARGEST:
        return ModelSize(given)
    match = re.fullmatch(
        r"([1-9][0-9]{0,17})x([1-9][0-9]{0,17})", given if isinstance(given, str) else ""
    )
    if not match:
        raise ValueError('a model size is a hidden size such as 64, or "8x1024" for eight layers')
    return ModelSize(int(match[2]), int(match[1]))


def numbered(given: Any) -> Any:
    """The number 5 stands for the seeds 0 … 4."""
    if given is None or isinstance(given, list):
        return given
    if type(given) is not int or not 1 <= given <= MOST_SEEDS:
        raise ValueError(f"write how many seeds, 1 to {MOST_SEEDS}, or list them")
    return list(range(given))


def name_or_table(given: Any) -> str | dict[str, Any]:
    if isinstance(given, str | dict):
        return given
    raise ValueError("write a name, or a table { … }")


def rule_table(given: Any) -> dict[str, Any] | None:
    if given is None or isinstance(given, dict):
        return given
    raise ValueError(EITHER_BOUND)


def path_of_file(given: Any) -> Any:
    if isinstance(given, str) and "\0" in given:
        raise ValueError("no file has a path with the character NUL")
    return given


Count = Annotated[int, Field(ge=1, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[float, Field(gt=0)]
NameOrTable = Annotated[Any, PlainValidator(name_or_table)]
Listed = Annotated[list[T | None], Field(min_length=1)]
Swept = Annotated[
    Annotated[T, Tag("one")] | Annotated[Listed[T], Tag("many")],
    Discriminator(lambda given: "many" if isinstance(given, list) else "one"),
]
"""One value, or a list of values, which is one more axis of the grid."""


class Table(BaseModel):
    """A table of a suite file.

    TOML has no null. So None means that a value is not given, or that it is wrong and was reported.
    `required` names the keys that must be given.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
    required: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, given: Mapping[str, Any], at: Location, report: Report) -> Self:
        """Check the table at `at`. Wrong values are reported and become None; right values are kept.

        A misspelt key is reported, and its value is checked as that of the key that was meant.
        """
        keys = cls.keys()
        for key in given.keys() - set(keys):
            report.add((*at, key), f"unknown key; {nearest(key, keys)}")
        written = {meant: key for key, meant in cls.spelling(given).items()}
        given = cls.repaired(given)
        for key in cls.required:
            if key not in given:
                report.add((*at, key), "is missing")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            findings = [
                (without_tags(location), message)
                for location, message in findings_in(error, {(): keys})
            ]
        for (first, *inner), message in findings:
            report.add((*at, written[str(first)], *inner), message)
        return cls.model_validate(without(given, [location for location, _ in findings], keys))

    @classmethod
    def keys(cls) -> list[str]:
        """The keys of the table."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def spelling(cls, given: Mapping[str, Any]) -> dict[str, str]:
        """Each key that is given and known, or misspelt, → the key that is meant."""
        keys = set(cls.keys())
        found: dict[str, str] = {}
        for key in given:
            right = key if key in keys else meant(key, keys - given.keys() - set(found.values()))
            if right is not None:
                found[key] = right
        return found

    @classmethod
    def repaired(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The table with the keys that are meant, without keys that nobody knows."""
        return {right: given[key] for key, right in cls.spelling(given).items()}


class SuiteTable(Table):
    required = ("experiments",)

    name: str | None = None
    title: str | None = None
    citation: str | None = None
    plugins: list[Annotated[str | None, BeforeValidator(path_of_file)]] | None = None
    recipes: dict[str, dict[str, Any] | None] | None = None
    experiments: dict[str, dict[str, Any] | None] | None = None
    sequential: dict[str, Any] | None = None
    claims: dict[str, dict[str, Any] | None] | None = None


class SequentialTable(Table):
    required = ("looks", "first_seed")

    looks: Listed[Annotated[int, Field(ge=2, le=MOST_SEEDS)]] | None = None
    first_seed: Annotated[int, Field(ge=0, le=LARGEST - MOST_SEEDS)] | None = None
    spending: Spending | None = None
    futility: Annotated[int, Field(ge=2, le=FARTHEST)] | None = None


class RecipeTable(Table):
    """The fields of `grokbench.record.Recipe`. A field that is left out has the default there."""

    optimizer: Swept[NameOrTable] | None = None
    steps: Swept[Annotated[int, Field(ge=1, le=LARGEST_STEPS)]] | None = None
    learning_rate: Swept[Positive] | None = None
    weight_decay: Swept[Annotated[float, Field(ge=0)]] | None = None
    decay_on: Swept[Literal["all", "matrices"]] | None = None
    warmup_steps: Swept[Annotated[int, Field(ge=0, le=LARGEST)]] | None = None
    initial_scale: Swept[Positive] | None = None
    precision: Swept[Literal["float32", "float64", "tf32", "bfloat16"]] | None = None
    norm: Swept[Literal["free", "initial"]] | None = None
    batch_size: Swept[Count] | None = None
    evaluate_every: Swept[Count] | None = None


class ExperimentRecipeTable(RecipeTable):
    """A recipe within an experiment: a named recipe (`from`), and the fields that differ."""

    based_on: str | None = Field(default=None, alias="from")


class ExperimentTable(Table):
    required = ("task", "architecture", "recipe", "model_sizes", "data_sizes")

    title: str | None = None
    task: NameOrTable | None = None
    architecture: NameOrTable | None = None
    recipe: NameOrTable | None = None
    measures: list[NameOrTable | None] | None = None
    model_sizes: Listed[Annotated[ModelSize, PlainValidator(model_size)]] | None = None
    data_sizes: Listed[Count] | None = None
    seeds: Annotated[Listed[Seed], BeforeValidator(numbered)] | None = None


class ClaimTable(Table):
    required = ("statement", "detector", "rule")

    statement: str | None = None
    source: str | None = None
    detector: NameOrTable | None = None
    experiment: str | None = None
    experiments: dict[str, str | None] | None = None
    places: dict[str, Any] | None = None
    where: dict[str, Any] | None = None
    rule: Annotated[dict[str, Any] | None, BeforeValidator(rule_table)] = None
    minimum_seeds: Count | None = None
    expect: Expected | None = None
    calibrated_on: str | None = None


class RuleTable(Table):
    at_least: float | None = None
    at_most: float | None = None


def without_tags(location: Location) -> Location:
    """A location without pydantic's tag for one value or many."""
    return location[:1] + location[2:] if location[1:2] in {("one",), ("many",)} else location


def without(given: Mapping[str, Any], wrong: Sequence[Location], keys: Sequence[str]) -> Any:
    """A copy of `given` in which wrong values are None and unknown keys are left out."""
    right = {key: copy.copy(value) for key, value in given.items() if key in keys}
    for key, *inner in wrong:
        if inner and isinstance(right[str(key)], dict | list):
            right[str(key)][inner[0]] = None
        elif key in right:
            right[str(key)] = None
    return right
