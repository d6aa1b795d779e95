"""What every definition promises, whatever its kind."""

from __future__ import annotations

import json

from grokbench.catalogue import problems_with
from grokbench.errors import OptionsError
from grokbench.testing.conformance.checks import EVERY_KIND, Fault, Specimen, promises
from grokbench.testing.conformance.global_state import changed
from grokbench.testing.conformance.kinds import base_of, kind_of


@promises(EVERY_KIND)
def can_be_registered(specimen: Specimen) -> str | None:
    """It is a complete class with a name, a version and options."""
    kind = kind_of(specimen.definition)
    if problems := problems_with(specimen.definition, base_of(kind), kind):
        what, _, instead = problems[0].partition("; ")
        raise Fault(what, "grokbench would not take it in", instead)
    if not specimen.definition.summary():
        return "it has no docstring; its first line would be shown in listings"
    return None


@promises(EVERY_KIND)
def can_be_made(specimen: Specimen) -> None:
    """One can be made with its default options, or with those it is tested with."""
    try:
        specimen.definition.from_options(specimen.options)
    except OptionsError as error:
        given = f"the options {dict(specimen.options)}" if specimen.options else "no options"
        raise Fault(
            f"it cannot be made with {given}: {error}",
            "nothing of it can be examined",
            "give each option a default, or write `tested_with = [{…}]` in the class: a list of "
            "options that the kit may use",
        ) from error
    if touched := changed(specimen.make):
        raise Fault(
            f"making it changes {' and '.join(touched)}",
            "whatever else runs in the process would depend on it",
            "change nothing outside the object in __init__",
        )


@promises(EVERY_KIND)
def survives_being_written_down(specimen: Specimen) -> str | None:
    """Its options are the same after a trip through JSON."""
    made = specimen.make()
    try:
        spelled = json.loads(
            json.dumps(made.options.model_dump(mode="json", by_alias=True), allow_nan=False)
        )
    except (TypeError, ValueError) as error:
        raise Fault(
            f"its options cannot be written as JSON: {error}",
            "they are part of every run's identity",
            "write options of numbers, text, lists and tables",
        ) from error
    again = specimen.definition.from_options(spelled)
    if again.options != made.options:
        raise Fault(
            f"its options {made.options!r} came back from JSON as {again.options!r}",
            "a stored run could not be told from another",
            "write options that compare equal after model_dump(mode='json')",
        )
    return None
