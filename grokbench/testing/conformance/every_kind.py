"""What every definition promises, whatever its kind."""

from __future__ import annotations

import json

from grokbench.catalogue import problems_with
from grokbench.errors import OptionsError
from grokbench.testing.conformance.another_process import digests_elsewhere
from grokbench.testing.conformance.checks import (
    EVERY_KIND,
    Fault,
    Inapplicable,
    Specimen,
    listed,
    promises,
)
from grokbench.testing.conformance.exercises import differing, digests_of, exercises_of
from grokbench.testing.conformance.global_state import RANDOM, SWITCHES, changed, disturb, kept
from grokbench.testing.conformance.kinds import base_of, kind_of


@promises(EVERY_KIND)
def can_be_registered(specimen: Specimen) -> str | None:
    """The class is complete: it has a name, a version and options."""
    kind = kind_of(specimen.definition)
    if problems := problems_with(specimen.definition, base_of(kind), kind):
        what, _, instead = problems[0].partition("; ")
        raise Fault(what, "grokbench does not register it", instead)
    if not specimen.definition.summary():
        return "it has no docstring; listings would show the first line"
    return None


@promises(EVERY_KIND)
def can_be_made(specimen: Specimen) -> None:
    """An instance can be made with the default options, or with those in `tested_with`."""
    try:
        specimen.definition.from_options(specimen.options)
    except OptionsError as error:
        given = f"the options {dict(specimen.options)}" if specimen.options else "no options"
        raise Fault(
            f"it cannot be made with {given}: {error}",
            "nothing else can be examined",
            "give each option a default, or write `tested_with = [{…}]` in the class: a list of "
            "options that the kit may use",
        ) from error


@promises(EVERY_KIND)
def survives_being_written_down(specimen: Specimen) -> None:
    """Its options are the same after they were written as JSON and read again."""
    made = specimen.make()
    try:
        spelled = json.dumps(made.options.model_dump(mode="json", by_alias=True), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Fault(
            f"its options cannot be written as JSON: {error}",
            "they are part of every run's identity",
            "write options of numbers, text, lists and tables",
        ) from error
    again = specimen.definition.from_options(json.loads(spelled))
    if again.options != made.options:
        raise Fault(
            f"its options {made.options!r} came back from JSON as {again.options!r}",
            "a stored run could not be told from another",
            "write options that are equal after model_dump(mode='json')",
        )


@promises(EVERY_KIND)
def gives_the_same_again(specimen: Specimen) -> None:
    """Its results are the same bits when they are computed again, whatever came before."""
    one, other = list(exercises_of(specimen)), list(exercises_of(specimen))
    first = [exercise.digests() for exercise in one]
    again = [exercise.digests() for exercise in one]
    # A second instance, in reverse: what an instance keeps from one call must not show in the next.
    fresh = [e.digests(*_foreign(e.drawn_from)) for e in reversed(other)][::-1]
    for exercise, results in zip(one, zip(first, again, fresh, strict=True), strict=True):
        if names := differing(results[0], results[1]) or differing(results[0], results[2]):
            stands = exercise.digests() == exercise.digests()
            by = [
                generator
                for generator in _foreign(exercise.drawn_from)
                if stands and differing(exercise.digests(), exercise.digests(generator))
            ]
            verb = f"depend on {by[0]}" if by else "change from one time to the next"
            raise Fault(
                f"{listed(names)} {verb} ({exercise.doing})",
                "a run could not be repeated",
                exercise.instead,
            )


def _foreign(lent: tuple[str, ...]) -> list[str]:
    """The global random generators that are not lent."""
    return [name for name in RANDOM if name not in lent]


@promises(EVERY_KIND)
def gives_the_same_in_another_process(specimen: Specimen) -> None:
    """Its results are the same bits in another process, where sets have another order."""
    here = next(exercises_of(specimen)).digests()
    if names := differing(here, digests_elsewhere(specimen)):
        if differing(here, next(exercises_of(specimen)).digests()):
            raise Inapplicable("see gives_the_same_again")
        raise Fault(
            f"{listed(names)} have other values in another process",
            "a run could not be repeated, and a suite could not be trained in several processes",
            "do not use hash(…), and write sorted(…) around a set",
        )


@promises(EVERY_KIND)
def changes_nothing_else(specimen: Specimen) -> None:
    """It changes nothing that it is given, no global state, and none of its options.

    Global state is random generators, switches of libraries, and environment variables.
    """
    with kept():
        exercises = list(exercises_of(specimen))
    disturb(3)
    touched, doing = changed(specimen.make), "making an instance"
    for exercise in exercises:
        if not touched:
            doing, owner = exercise.doing, exercise.owner
            options, given = repr(owner.options), digests_of(exercise.given())
            switches = {name: one for name, one in SWITCHES.items() if name not in exercise.lent}
            touched = changed(exercise.act, switches)
            touched += differing(given, digests_of(exercise.given()))
            if repr(owner.options) != options:
                touched.append(f"its options from {options} to {owner.options!r}")
    if touched:
        raise Fault(
            f"{doing} changes {listed(touched)}",
            "everything else that runs in the process, or is given the same, would depend on it",
            "draw from generators of your own, set switches only inside `with`, work on copies of "
            "what is given, and keep nothing in the options",
        )
