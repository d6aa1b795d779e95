"""Reads the measures: what an experiment records beside loss and accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from grokbench.architectures.base import Architecture
from grokbench.definition import Location
from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize
from grokbench.schema import LONGEST_NAME, RESERVED
from grokbench.suite.choices import choose
from grokbench.suite.mistakes import Report, ask, shortened
from grokbench.tasks.base import Task


@dataclass(frozen=True)
class Measured:
    """The measures of an experiment.

    Attributes:
        choices: the measures.
        quantities: the variables that they add to the dataset, each with its meaning in words.
    """

    choices: tuple[Choice, ...]
    quantities: Mapping[str, str]


def read_measures(
    given: Sequence[Any] | None,
    plugins: Plugins,
    grid: tuple[Task | None, Architecture | None, Sequence[ModelSize | None]],
    at: Location,
    report: Report,
) -> Measured | None:
    """The measures of an experiment whose task, architecture and sizes are `grid`; None if wrong.

    Each measure is asked whether it refuses the task, the architecture or a size.
    """
    task, architecture, sizes = grid
    chosen = [
        choose(one, plugins.measures, (*at, index), report) for index, one in enumerate(given or ())
    ]
    quantities: dict[str, str] = {}
    for index, one in enumerate(chosen):
        if one is None:
            continue
        measure = one.definition
        for name, words in measure.quantities.items():
            variable = f"{measure.name}_{name}"
            if variable in RESERVED or variable in quantities:
                report.add(
                    (*at, index),
                    f"would record {variable!r}, but that name is taken; rename the quantity",
                )
            if len(variable.encode()) > LONGEST_NAME:
                report.add(
                    (*at, index),
                    f"would record {shortened(variable)}, but a name has at most {LONGEST_NAME} bytes, "
                    f"not {len(variable.encode())}; rename the quantity",
                )
            quantities[variable] = words
        if task and architecture:
            answers = [
                ask(measure.name, partial(measure.refuses, task, architecture, size))
                for size in sizes
                if size is not None
            ]
            if complaint := next(filter(None, answers), None):
                report.add((*at, index), complaint)
    right = [one.choice for one in chosen if one]
    return Measured(tuple(right), quantities) if len(right) == len(chosen) else None
