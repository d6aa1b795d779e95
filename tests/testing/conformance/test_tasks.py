"""Tasks that break their contract, each in one way, and what the kit says of each."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from grokbench import CrossEntropy, Examples, Options, PluginError, SquaredError, Task, Tokens
from grokbench.testing import CheckOutcome, checks_for
from tests.testing.faults import examined, faults, notes

PRIME = 11


class Sum(Task):
    """a + b, and nothing wrong with it."""

    name = "sum"
    judgement = CrossEntropy(PRIME)
    inputs = Tokens(vocabulary=PRIME + 1, length=3)

    def check(self, data_size):
        return None if data_size <= PRIME**2 else f"write 1 to {PRIME**2}"

    def examples(self, data_size, streams):
        a, b = torch.arange(PRIME).repeat_interleave(PRIME), torch.arange(PRIME).repeat(PRIME)
        train = torch.zeros(PRIME**2, dtype=torch.bool)
        train[torch.randperm(PRIME**2, generator=streams("split"))[:data_size]] = True
        mirrored = train.view(PRIME, PRIME).T.reshape(-1)
        part = torch.zeros_like(a)
        inputs = torch.stack([a, b, torch.full_like(a, PRIME)], 1)
        return Examples(inputs, self.label(a, b), train, ~train, part, ~train & ~mirrored)

    def label(self, a, b):
        return (a + b) % PRIME


class Leaking(Sum):
    """The training examples validate as well."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, validation=torch.ones_like(fair.train))


class Repeating(Sum):
    """Every question is there twice, and its copy may validate."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        twice = {name: torch.cat([value, value]) for name, value in vars(fair).items()}
        first = torch.arange(2 * PRIME**2) < PRIME**2
        train, validation = twice["train"] & first, ~first
        return Examples(**{**twice, "train": train, "validation": validation,
                           "mirror_free": twice["mirror_free"] & ~first})  # fmt: skip


class TooLarge(Sum):
    """Labels up to the sum itself."""

    def label(self, a, b):
        return a + b


class Overflowing(Sum):
    """Labels computed in eight bits, where 11 * 10 + 110 is negative."""

    def label(self, a, b):
        return (a * b + 100).to(torch.int8).fmod(PRIME).long()


class Narrow(Sum):
    """Labels of a small integer type."""

    def label(self, a, b):
        return super().label(a, b).to(torch.int32)


class Boring(Sum):
    """Everything is 0."""

    def label(self, a, b):
        return torch.zeros_like(a)


class Forgetful(Sum):
    """A generator that goes on from call to call."""

    generator = torch.Generator().manual_seed(0)

    def examples(self, data_size, streams):
        return super().examples(data_size, lambda purpose: self.generator)


class Deaf(Sum):
    """The same split for all seeds."""

    def examples(self, data_size, streams):
        return super().examples(data_size, lambda p: torch.Generator().manual_seed(0))


class Hesitant(Sum):
    """Two splits for all seeds."""

    def examples(self, data_size, streams):
        key = streams.key("split") % 2
        return super().examples(data_size, lambda p: torch.Generator().manual_seed(key))


class Drifting(Sum):
    """Another question at every data size."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, labels=(fair.labels + data_size) % PRIME)


class Diary(Options):
    seen: list[int] = []  # noqa: RUF012 (pydantic copies it for each)


class Noting(Sum):
    """Writes into its options."""

    Options = Diary

    def examples(self, data_size, streams):
        self.options.seen.append(data_size)
        return super().examples(data_size, streams)


class Salted(Sum):
    """A split from hash("…"), which every process salts anew."""

    def examples(self, data_size, streams):
        salted = abs(hash(f"split of {streams.seed}")) % 2**31
        return super().examples(data_size, lambda purpose: torch.Generator().manual_seed(salted))


WORDS = {"nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}


class Unsorted(Sum):
    """Labels in the order of a set."""

    def label(self, a, b):
        rank = torch.tensor([sorted(WORDS).index(word) for word in WORDS])
        return rank[super().label(a, b)]


class Torchlit(Sum):
    """Labels from torch's global generator."""

    def label(self, a, b):
        return torch.randint(PRIME, a.shape)


class Numbed(Sum):
    """Labels from numpy's global generator."""

    def label(self, a, b):
        return torch.from_numpy(np.random.randint(PRIME, size=len(a)))  # noqa: NPY002


class Reseeding(Sum):
    """Seeds Python's generator for everybody."""

    def label(self, a, b):
        random.seed(0)
        return super().label(a, b)


class Switching(Sum):
    """Sets the default dtype for everybody."""

    def label(self, a, b):
        torch.set_default_dtype(torch.float64)
        return super().label(a, b)


class Flat(Sum):
    """Inputs of one column less than it declares."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, inputs=fair.inputs[:, :2])


class Ragged(Sum):
    """Fewer labels than inputs."""

    def label(self, a, b):
        return super().label(a, b)[:-1]


class Stingy(Sum):
    """One training example too few."""

    def examples(self, data_size, streams):
        return super().examples(data_size - 1, streams)


class Generous(Sum):
    """Allows every data size."""

    def check(self, data_size):
        return None


class Choosy(Sum):
    """Refuses everything."""

    def check(self, data_size):
        return "no"


class Yes(Sum):
    """Answers True for what can be had."""

    def check(self, data_size):
        return data_size <= PRIME**2


class Mirrored(Sum):
    """Claims that no mirror is in training."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, mirror_free=fair.validation)


class Quotient(Sum):
    """a / b, with mirrors as if it were a product, and an answer where b is 0."""

    def label(self, a, b):
        return a * b ** (PRIME - 2) % PRIME


class Difference(Sum):
    """a - b, with mirrors as if it were a sum."""

    def label(self, a, b):
        return (a - b) % PRIME


class Swapping(Difference):
    """a - b, and it says that b - a is the same question."""

    def mirror(self, inputs):
        return inputs[:, [1, 0, 2]]


class Suspicious(Sum):
    """No validation example is mirror-free, whether its mirror trains or not."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, mirror_free=torch.zeros_like(fair.train))


class Absent(Suspicious):
    """The same, with a mirror that is not in training."""

    def mirror(self, inputs):
        return inputs


class Everything(Sum):
    """Training examples are mirror-free, too."""

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        return replace(fair, mirror_free=torch.ones_like(fair.train))


class Cached(Sum):
    """Hands out one and the same tensor of inputs."""

    kept = torch.cartesian_prod(torch.arange(PRIME), torch.arange(PRIME), torch.tensor([PRIME]))

    def examples(self, data_size, streams):
        return replace(super().examples(data_size, streams), inputs=self.kept)


class Mutating(Sum):
    """Writes the split of the last call over that of the one before."""

    kept = torch.zeros(PRIME**2, dtype=torch.bool)

    def examples(self, data_size, streams):
        fair = super().examples(data_size, streams)
        self.kept.copy_(fair.train)
        return replace(fair, train=self.kept)


class Unparted(Sum):
    """A part that nothing is in."""

    parts = ("sums", "differences")


class Shapeshifting(Sum):
    """Another declaration for each instance."""

    made = 0

    def __init__(self, options=None):
        super().__init__(options)
        Shapeshifting.made += 1
        self.judgement = CrossEntropy(PRIME + Shapeshifting.made)


class LossyOptions(Options):
    values: object = {1: "one"}


class Lossy(Sum):
    """Options that are no JSON: numbers as keys."""

    Options = LossyOptions


class NeedyOptions(Options):
    modulus: int


class Needy(Sum):
    """An option without a default."""

    Options = NeedyOptions


class Seedless(Sum):
    """Cannot make the examples of seed 2."""

    def examples(self, data_size, streams):
        if streams.seed == 2:
            raise RuntimeError("not that one")
        return super().examples(data_size, streams)


class Nameless(Sum):
    """Named as nothing can be."""

    name = "sum of two"


FAULTS = [
    (Leaking, "splits_are_disjoint", "examples train and validate"),
    (Repeating, "splits_are_disjoint", "list each input once"),
    (TooLarge, "labels_are_in_range", "labels go from 0 to 20 and there are 11 classes"),
    (Overflowing, "labels_are_in_range", "may have overflowed its integer type"),
    (Narrow, "has_rows_that_belong_together", "labels are torch.int32"),
    (Boring, "labels_are_in_range", "the same label"),
    (Forgetful, "gives_the_same_again", "train, validation, mirror_free change from one time"),
    (Deaf, "another_seed_other_examples", "among 12 seeds is 1"),
    (Hesitant, "another_seed_other_examples", "among 12 seeds is 2"),
    (Drifting, "answers_the_same_at_every_data_size", "121 of 121 inputs have another label"),
    (
        Noting,
        "changes_nothing_else",
        "changes its options from Diary(seen=[]) to Diary(seen=[60])",
    ),
    (Salted, "gives_the_same_in_another_process", "train, validation"),
    (Unsorted, "gives_the_same_in_another_process", "labels have other values in another process"),
    (Torchlit, "gives_the_same_again", "labels depend on torch's random state"),
    (Torchlit, "changes_nothing_else", "changes torch's random state"),
    (Numbed, "gives_the_same_again", "labels depend on numpy's random state"),
    (Reseeding, "changes_nothing_else", "changes Python's random state"),
    (Switching, "changes_nothing_else", "changes torch's default dtype"),
    (Flat, "labels_are_in_range", "inputs are [121, 2]; "),
    (Ragged, "has_rows_that_belong_together", "labels are torch.int64 [120]"),
    (Stingy, "makes_every_size_it_allows", "allows 1 training examples and examples(1) has 0"),
    (Generous, "makes_every_size_it_allows", "allows 8192 training examples"),
    (Choosy, "makes_every_size_it_allows", "refuses every data size"),
    (Yes, "refuses_in_words", "check(1) gives True"),
    (Mirrored, "mirror_free_is_true", "whose mirror trains (exchanging tokens 0 and 1)"),
    (Quotient, "mirrors_have_the_same_label", "have another label than their mirror in training"),
    (Difference, "mirrors_have_the_same_label", "(exchanging tokens 0 and 1)"),
    (Swapping, "mirrors_have_the_same_label", "another label than what mirror() makes of them"),
    (Suspicious, "mirrors_have_the_same_label", "say what their mirrors are with a method"),
    (Absent, "mirrors_have_the_same_label", "what mirror() makes of them does not train"),
    (Everything, "mirror_free_is_true", "are mirror-free and do not validate"),
    (Cached, "examples_are_its_callers_own", "shows in another's"),
    (Mutating, "examples_are_its_callers_own", "changes train of seed 0's"),
    (Unparted, "every_part_has_examples", "the task declares ['sums', 'differences']"),
    (Shapeshifting, "says_what_it_asks", "another instance declares judgement"),
    (Lossy, "survives_being_written_down", "came back from JSON"),
    (Needy, "can_be_made", "tested_with"),
    (Seedless, "makes_every_size_it_allows", "not that one"),
    (Nameless, "can_be_registered", "write a word such as"),
]


def test_a_task_that_keeps_its_contract_passes_every_check():
    assert {} == faults(Sum)


@pytest.mark.parametrize(
    ("task", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[1]}" for one in FAULTS]
)
def test_a_broken_task_is_found_by_its_check_and_told_what_is_wrong(task, check, words):
    found = faults(task)
    assert check in found
    assert words in found[check]


@pytest.mark.parametrize(
    "task", dict.fromkeys(one[0] for one in FAULTS), ids=lambda task: task.__name__
)
def test_no_fault_is_reported_by_a_check_that_is_about_something_else(task):
    """One cause has one message: at most three checks see the same fault from different sides."""
    named = {check for broken, check, _ in FAULTS if broken is task}
    assert len(set(faults(task)) - named) <= 2


class Bits(Sum):
    """Whether most of five bits are ones: any two of them may change places."""

    judgement = CrossEntropy(2)
    inputs = Tokens(vocabulary=2, length=5)

    def check(self, data_size):
        return None if data_size <= 32 else "write 1 to 32"

    def examples(self, data_size, streams):
        bits = torch.cartesian_prod(*[torch.arange(2)] * 5)
        train = torch.zeros(32, dtype=torch.bool)
        train[torch.randperm(32, generator=streams("split"))[:data_size]] = True
        part = torch.zeros(32, dtype=torch.int64)
        return Examples(bits, (bits.sum(1) > 2).long(), train, ~train, part, ~train)


class Reversed(Bits):
    """The same, with a word of its own on what a mirror is."""

    def mirror(self, inputs):
        return inputs.flip(1)


def test_where_many_exchanges_change_no_label_the_task_is_asked_which_are_mirrors():
    assert {} == faults(Bits)
    assert "say which are mirrors with a method" in notes(Bits)["mirror_free_is_true"]


def test_a_task_may_say_itself_what_a_mirror_is():
    assert "as its mirror() says" in faults(Reversed)["mirror_free_is_true"]


class Line(Sum):
    """Vectors and a number to meet."""

    judgement = SquaredError(2)

    def label(self, a, b):
        return torch.stack([a, b, a], 1).float()


def test_values_to_meet_have_the_declared_width():
    assert "write [121, 2]" in faults(Line)["labels_are_in_range"]


class Parity(Sum):
    """Whether a + b is odd, as −1 and 1."""

    judgement = SquaredError(1, correct_by="sign")

    def label(self, a, b):
        return (1.0 - 2.0 * ((a + b) % 2))[:, None]


def test_one_output_is_judged_by_its_sign():
    assert {} == faults(Parity)


class Careless(Parity):
    """Every answer between 0 and any label is near enough."""

    judgement = SquaredError(1, correct_by="tolerance", tolerance=1.5)


class Backwards(CrossEntropy):
    """Counts the wrong answers."""

    def correct(self, outputs, labels):
        return ~super().correct(outputs, labels)


class Mistaken(Sum):
    judgement = Backwards(PRIME)


def test_a_judgement_that_does_not_tell_right_from_wrong_is_found():
    found = faults(Careless)["tells_right_from_wrong"]
    assert "one and the same answer counts as correct for all of" in found
    assert "correct_by='tolerance' with a tolerance well below" in found
    found = faults(Mistaken)["tells_right_from_wrong"]
    assert "answers with the lowest loss count as wrong" in found


def test_options_that_a_task_is_tested_with_are_each_examined():
    class Two(Needy):
        tested_with = ({"modulus": 5}, {"modulus": 7})

    subjects = {check.subject for check in checks_for(Two)}
    assert {"task sum(modulus=5)", "task sum(modulus=7)"} == subjects
    assert {} == faults(Two)


def test_an_instance_is_examined_with_its_own_options():
    assert "can_be_made" not in faults(Needy.from_options({"modulus": 5}))


def test_a_failure_can_be_expected_with_a_reason():
    why = {"mirror_free_is_true": "order is part of the question"}
    [result] = [
        check.result() for check in checks_for(Mirrored, expected_failures=why) if check.name in why
    ]
    assert CheckOutcome.EXPECTED is result.outcome
    assert result.message.startswith("order is part of the question (")


def test_a_failure_can_be_expected_in_the_class_itself():
    class Excused(Mirrored):
        expected_failures = {"mirror_free_is_true": "order is part of the question"}  # noqa: RUF012

    assert {} == faults(Excused)


def test_an_expected_failure_that_does_not_come_is_a_failure():
    found = faults(Sum, expected_failures={"mirror_free_is_true": "it cannot be"})
    assert "was expected to fail (it cannot be) and does not" in found["mirror_free_is_true"]


def test_an_expected_failure_of_no_check_is_an_error_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'mirror_free_is_true'"):
        checks_for(Sum, expected_failures={"mirror_free_is_tru": ""})


MISTAKEN = [
    ("expected_failures", ["labels_are_in_range"], "a table of checks and reasons"),
    ("expected_failures", {"labels_are_in_range": ""}, "a table of checks and reasons"),
    ("expected_failures", {"labels_in_range": "why"}, "did you mean 'labels_are_in_range'"),
    ("tested_with", {"modulus": 5}, "a list of tables of options"),
    ("tested_with", "modulus", "a list of tables of options"),
]


@pytest.mark.parametrize(("attribute", "value", "words"), MISTAKEN)
def test_what_a_class_says_of_its_own_examination_is_an_error_that_names_it(
    attribute, value, words
):
    mistaken = type("Mistaken", (Sum,), {attribute: value})
    with pytest.raises(PluginError, match=rf"Mistaken\.{attribute}.*{words}"):
        checks_for(mistaken)


def test_what_is_no_definition_is_an_error():
    with pytest.raises(TypeError, match="not a subclass of one of Task, Architecture"):
        checks_for(int)


def test_checking_leaves_global_state_as_it_was():
    torch.manual_seed(7)
    before = torch.get_rng_state(), torch.get_default_dtype()
    examined(Torchlit), examined(Switching)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] is torch.get_default_dtype()
