"""What every definition promises, whatever its kind."""

from __future__ import annotations

from grokbench.catalogue import problems_with
from grokbench.errors import OptionsError
from grokbench.switches import SWITCHES, put_back
from grokbench.testing.conformance.another_process import digests_elsewhere
from grokbench.testing.conformance.checks import (
    EVERY_KIND,
    Fault,
    Inapplicable,
    Specimen,
    base_of,
    fault_of,
    kind_of,
    listed,
    must,
    promises,
    read_from_json,
)
from grokbench.testing.conformance.exercises import (
    changed,
    differing,
    digests_of,
    disturb,
    exercises_of,
)


@promises(EVERY_KIND, why="grokbench does not register any other")
def can_be_registered(specimen: Specimen) -> str | None:
    """The class is complete: it has a name, a version and options."""
    kind = kind_of(specimen.definition)
    if problems := problems_with(specimen.definition, base_of(kind), kind):
        raise fault_of(problems[0])
    if not specimen.definition.summary():
        return "it has no docstring; listings would show the first line"
    return None


@promises(
    EVERY_KIND,
    why="nothing else can be examined",
    instead="give each option a default, or write `tested_with = [{…}]` in the class: a list of "
    "options that the kit may use",
)
def can_be_made(specimen: Specimen) -> None:
    """An instance can be made with the default options, or with those in `tested_with`."""
    try:
        specimen.definition.from_options(specimen.options)
    except OptionsError as error:
        given = f"the options {dict(specimen.options)}" if specimen.options else "no options"
        raise Fault(f"it cannot be made with {given}: {error}") from error


@promises(EVERY_KIND, why="options are part of every run's identity")
def survives_being_written_down(specimen: Specimen) -> None:
    """Its options are the same after they were written as JSON and read again."""
    options = specimen.make().options
    spelled = options.model_dump(mode="json", by_alias=True)
    instead = (
        "write options of numbers, text, lists and tables, equal after model_dump(mode='json')"
    )
    again = specimen.definition.from_options(
        read_from_json(spelled, "its options", instead)
    ).options
    must(again == options, f"its options {options!r} came back from JSON as {again!r}", instead)


@promises(EVERY_KIND, why="a run could not be repeated")
def gives_the_same_again(specimen: Specimen) -> None:
    """Its results are the same bits when they are computed again, whatever came before."""
    one, other = list(exercises_of(specimen)), list(exercises_of(specimen))
    first = [exercise.digests() for exercise in one]
    again = [exercise.digests() for exercise in one]
    # A second instance, in reverse: what an instance keeps from one call must not show in the next.
    fresh = [exercise.digests(*exercise.foreign()) for exercise in reversed(other)][::-1]
    for exercise, results in zip(one, zip(first, again, fresh, strict=True), strict=True):
        if names := differing(results[0], results[1]) or differing(results[0], results[2]):
            stands = exercise.digests() == exercise.digests()
            by = [
                generator
                for generator in exercise.foreign()
                if stands and differing(exercise.digests(), exercise.digests(generator))
            ]
            verb = f"depend on {by[0]}" if by else "change from one time to the next"
            raise Fault(f"{listed(names)} {verb} ({exercise.doing})", exercise.instead)


@promises(
    EVERY_KIND,
    why="a run could not be repeated, and a suite could not be trained in several processes",
    instead="do not use hash(…), write sorted(…) around a set, and do not depend on what another "
    "module has set up",
)
def gives_the_same_in_another_process(specimen: Specimen) -> None:
    """Its results are the same bits in another process, where sets have another order."""
    here = next(exercises_of(specimen)).digests()
    if names := differing(here, digests_elsewhere(specimen)):
        if differing(here, next(exercises_of(specimen)).digests()):
            raise Inapplicable("see gives_the_same_again")
        raise Fault(f"{listed(names)} have other values in another process")


@promises(
    EVERY_KIND,
    why="everything else that runs in the process, or is given the same, would depend on it",
    instead="draw from generators of your own, set switches only inside `with`, work on copies of "
    "what is given, and keep nothing in the options",
)
def changes_nothing_else(specimen: Specimen) -> None:
    """It changes nothing that it is given, no global state, and none of its options.

    Global state is random generators, switches of libraries, and environment variables.
    """
    with put_back(SWITCHES):
        exercises = list(exercises_of(specimen))
    disturb(3)
    touched = changed(specimen.make)
    must(not touched, f"making an instance changes {listed(touched)}")
    for exercise in exercises:
        owner = exercise.owner
        options, given = repr(owner.options), digests_of(exercise.given())
        switches = {name: one for name, one in SWITCHES.items() if name not in exercise.lent}
        touched = changed(exercise.act, switches)
        touched += differing(given, digests_of(exercise.given()))
        if repr(owner.options) != options:
            touched.append(f"its options from {options} to {owner.options!r}")
        must(not touched, f"{exercise.doing} changes {listed(touched)}")
