"""Binary operations below a modulus: answers, mirrors, splits, and the two ways to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grokbench import OptionsError, Streams, load_suite, run_suite
from grokbench.record import canonical_json
from grokbench.tasks import (
    BUILT_IN,
    Examples,
    ModularAddition,
    ModularDivision,
    ModularPolynomial,
    ModularSquare,
    ModularSubtraction,
    RandomLabels,
    Task,
    Tokens,
)

POLYNOMIALS = {
    "x^2 + y^2": lambda x, y: x * x + y * y,
    "x^2 + xy + y^2": lambda x, y: x * x + x * y + y * y,
    "x^2 + xy + y^2 + x": lambda x, y: x * x + x * y + y * y + x,
    "x^3 + xy": lambda x, y: x * x * x + x * y,
    "x^3 + xy^2 + y": lambda x, y: x * x * x + x * y * y + y,
}


def answers(examples: Examples, *, operator: bool = False) -> dict[tuple[int, int], int]:
    """(a, b) → label."""
    rows = examples.inputs.tolist()
    pairs = [(row[0], row[2] if operator else row[1]) for row in rows]
    found = dict(zip(pairs, examples.labels.tolist(), strict=True))
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("modulus", [2, 3, 7, 97])
def test_the_quotient_times_b_is_a_for_every_b_but_zero(modulus: int) -> None:
    task = ModularDivision.from_options({"modulus": modulus})
    found = answers(task.examples(1, Streams(0)))
    assert {(a, b) for a in range(modulus) for b in range(1, modulus)} == set(found)
    assert [] == [(a, b) for (a, b), c in found.items() if b * c % modulus != a]


@pytest.mark.parametrize("modulus", [2, 12, 13])
def test_differences_are_those_of_python(modulus: int) -> None:
    task = ModularSubtraction.from_options({"modulus": modulus})
    found = answers(task.examples(1, Streams(0)))
    numbers = range(modulus)
    assert {(a, b): (a - b) % modulus for a in numbers for b in numbers} == found


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
@pytest.mark.parametrize("modulus", [13, 4096])
def test_polynomials_are_those_of_python(polynomial: str, modulus: int) -> None:
    """With the largest modulus, too: a cube of 4095 is no 32-bit number."""
    task = ModularPolynomial.from_options({"polynomial": polynomial, "modulus": modulus})
    x, y = torch.arange(modulus), (7 * torch.arange(modulus) + 3) % modulus
    expected = [
        POLYNOMIALS[polynomial](a, b) % modulus for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    assert expected == task.answer(x, y).tolist()


@st.composite
def operations(draw: st.DrawFn) -> tuple[Task, int]:
    """A task of one operation, and a data size that it has."""
    prime = draw(st.sampled_from([2, 3, 5, 7, 11, 13]))
    polynomial = {"polynomial": draw(st.sampled_from(sorted(POLYNOMIALS)))}
    kind, options = draw(
        st.sampled_from(
            [
                (ModularAddition, {}),
                (ModularSubtraction, {}),
                (ModularDivision, {}),
                (ModularPolynomial, polynomial),
            ]
        )
    )
    operator = draw(st.booleans())
    task = kind.from_options({"modulus": prime, "operator_token": operator, **options})
    pairs = prime * (prime - 1) if kind is ModularDivision else prime**2
    return task, draw(st.integers(1, pairs))


@given(operations(), st.integers(0, 2**31))
def test_a_validation_pair_is_mirror_free_unless_its_exchange_trains_with_the_same_answer(
    drawn: tuple[Task, int], seed: int
) -> None:
    task, data_size = drawn
    operator = task.options.operator_token
    examples = task.examples(data_size, Streams(seed))
    found = answers(examples, operator=operator)
    masks = (examples.train.tolist(), examples.validation.tolist(), examples.mirror_free.tolist())
    trained = {pair for pair, trains in zip(found, masks[0], strict=True) if trains}
    assert data_size == len(trained)
    for (a, b), trains, validates, free in zip(found, *masks, strict=True):
        leaks = (b, a) in trained and found[b, a] == found[a, b]
        assert validates == (not trains)
        assert free == (validates and not leaks)


def test_of_quotients_only_those_of_opposite_numbers_have_a_mirror() -> None:
    task = ModularDivision.from_options({"modulus": 31})
    leaking = set()
    for seed in range(5):
        examples = task.examples(600, Streams(seed))
        chosen = examples.inputs[examples.validation & ~examples.mirror_free]
        leaking |= {(a, b) for a, b, _ in chosen.tolist()}
    assert leaking
    assert leaking <= {(a, 31 - a) for a in range(1, 31)}


@pytest.mark.parametrize(
    "kind", [ModularAddition, ModularSquare, ModularSubtraction, ModularDivision, RandomLabels]
)
def test_with_an_operator_token_the_same_pairs_are_asked_in_the_other_form(
    kind: type[Task],
) -> None:
    plain = kind.from_options({"modulus": 7})
    token = kind.from_options({"modulus": 7, "operator_token": True})
    assert (Tokens(8, 3), Tokens(9, 4)) == (plain.inputs, token.inputs)
    short, long = plain.examples(20, Streams(4)), token.examples(20, Streams(4))
    assert [7] == short.inputs[:, 2].unique().tolist()
    assert [[7, 8]] == long.inputs[:, [1, 3]].unique(dim=0).tolist()
    assert short.inputs[:, :2].tolist() == long.inputs[:, [0, 2]].tolist()
    for name in ("labels", "train", "validation", "mirror_free"):
        assert getattr(short, name).tolist() == getattr(long, name).tolist()


def test_an_option_that_came_later_is_no_part_of_a_run_that_does_not_use_it() -> None:
    """The ids of runs that were stored before stay valid."""
    spelled = [
        canonical_json(kind.from_options(options).options.model_dump(mode="json"))
        for kind, options in (
            (ModularAddition, {"modulus": 31}),
            (ModularSquare, {"operator_token": False}),
            (RandomLabels, {"modulus": 31}),
            (ModularAddition, {"modulus": 31, "operator_token": True}),
        )
    ]
    assert [
        '{"modulus":31,"split":"ordered"}',
        '{"modulus":113,"split":"ordered"}',
        '{"modulus":31}',
        '{"modulus":31,"operator_token":true,"split":"ordered"}',
    ] == spelled


REFUSED = [
    (ModularDivision, {"modulus": 12}, "12 is no prime number.*write 11 or 13"),
    (ModularDivision, {"modulus": 4}, "write 3 or 5$"),
    (ModularDivision, {"modulus": 4096}, "write 4093$"),
    (ModularPolynomial, {"polynomial": "x^3 + xy", "split": "unordered"}, "is not symmetric"),
    (ModularPolynomial, {"polynomial": "x^4"}, "should be 'x\\^2 \\+ y\\^2', "),
    (ModularSubtraction, {"split": "unordered"}, "unknown key"),
]


@pytest.mark.parametrize(("kind", "options", "words"), REFUSED)
def test_options_that_make_no_sense_are_refused_with_what_to_write(
    kind: type[Task], options: dict[str, object], words: str
) -> None:
    with pytest.raises(OptionsError, match=words):
        kind.from_options(options)


def test_the_number_of_quotients_is_the_largest_data_size() -> None:
    task = ModularDivision.from_options({"modulus": 7})
    assert task.check(42) is None
    assert "there are 42 pairs below 7; write 1 to 42, not 43" == task.check(43)


class Halves(ModularAddition):
    """Half of the pairs, and mirrors kept together if they can be."""

    name = "halves"

    def asks(self, a, b):  # type: ignore[no-untyped-def]
        return a < b


def test_an_unordered_split_of_some_pairs_is_refused_before_anything_is_trained() -> None:
    task = Halves.from_options({"modulus": 7, "split": "unordered"})
    assert 'there is no split "unordered"' in str(task.check(10))
    assert Halves.from_options({"modulus": 7}).check(21) is None


TRAINED = {
    "subtraction": 'name = "modular_subtraction", modulus = 7',
    "division": 'name = "modular_division", modulus = 7, operator_token = true',
    "quadratic": 'name = "modular_polynomial", modulus = 7',
    "cubic": 'name = "modular_polynomial", modulus = 7, polynomial = "x^3 + xy"',
}


def test_each_operation_is_memorized_in_a_suite(tmp_path: Path) -> None:
    file = tmp_path / "operations.toml"
    recipe = '[recipes.short]\noptimizer = "adamw"\nlearning_rate = 1e-2\nsteps = 150\n'
    file.write_text(
        recipe
        + "".join(
            f"[experiments.{name}]\ntask = {{ {task} }}\narchitecture = 'dense'\nrecipe = 'short'\n"
            "model_sizes = [16]\ndata_sizes = [30]\nseeds = 2\n"
            for name, task in TRAINED.items()
        ),
        encoding="utf-8",
    )
    assert 4 == len(load_suite(file).experiments)
    tree = run_suite(file, tmp_path / "out", jobs=1).tree
    for name in TRAINED:
        data = tree[name].to_dataset().isel(step=-1)
        assert [1.0] == sorted(set(data["train_accuracy"].values.flatten().tolist()))
        assert {12 if name == "division" else 19} == set(
            data["validation_examples"].values.flatten().tolist()
        )


def test_the_page_on_suites_lists_every_task_and_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
    section = page.partition("\n## Tasks\n")[2].partition("\n## ")[0]
    cells = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    listed = {row[1].strip(" `"): row[4] for row in cells}
    assert [task.name for task in BUILT_IN if task.name not in listed] == []
    for task in BUILT_IN:
        options = set(task.Options.model_fields) - {"modulus"}
        assert [] == [name for name in options if f"`{name}`" not in listed[task.name]]
    assert [] == [one for one in POLYNOMIALS if f'`"{one}"`' not in section]
