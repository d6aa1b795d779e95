"""What differs in the provenance of two results."""

from __future__ import annotations

from dataclasses import replace

from grokbench.comparison import Contrast
from grokbench.comparison.provenance import contrasts, suite_difference
from grokbench.record import Choice
from tests.comparison.results import ADDITION, RECIPE, SITTING, results


def test_the_same_results_have_no_differences() -> None:
    assert () == contrasts(results(), results())
    assert () == suite_difference(results(), results())


def test_versions_and_devices_are_told() -> None:
    git = {"revision": "abc", "dirty": True}
    other = {**SITTING, "device": "cuda", "packages": {"torch": "2.13.0", "numpy": "2.1"}}
    assert {
        Contrast("device", ("cpu",), ("cuda",)),
        Contrast("torch", ("2.11.0",), ("2.13.0",)),
        Contrast("numpy", ("–",), ("2.1",)),
        Contrast("git revision", ("–",), ("abc with changes",)),
    } == set(contrasts(results(), results(sittings=[{**other, "git": git}])))


def test_results_of_several_sittings_have_all_their_values() -> None:
    other = results(sittings=[SITTING, {**SITTING, "device": "cuda"}])
    assert (Contrast("device", ("cpu",), ("cpu", "cuda")),) == contrasts(results(), other)


def test_tasks_and_recipes_are_compared_by_what_each_says() -> None:
    changed = replace(
        ADDITION,
        task=Choice("modular_addition", {"modulus": 97}),
        recipe=replace(RECIPE, weight_decay=0.5),
    )
    assert (
        Contrast("addition: task.options.modulus", ("31",), ("97",)),
        Contrast("addition: recipe.weight_decay", ("1.0",), ("0.5",)),
    ) == contrasts(results(), results(experiments=[changed]))


def test_the_lines_in_which_suites_differ_are_shown() -> None:
    lines = suite_difference(results(text="a\nb\n"), results(text="a\nc\n"))
    assert ["-b", "+c"] == [
        one for one in lines if one[0] in "+-" and one[:3] not in ("---", "+++")
    ]


def test_the_options_of_measures_are_compared() -> None:
    measured = replace(ADDITION, measures=(Choice("hessian", {"vectors": 3}),))
    other = replace(ADDITION, measures=(Choice("hessian", {"vectors": 5}, version=2),))
    assert (
        Contrast("addition: measure hessian.options.vectors", ("3",), ("5",)),
        Contrast("addition: measure hessian.version", ("1",), ("2",)),
    ) == contrasts(results(experiments=[measured]), results(experiments=[other]))
    told = {one.name: one for one in contrasts(results(), results(experiments=[other]))}
    assert ("–",) == told["addition: measure hessian.name"].first
