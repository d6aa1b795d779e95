"""The prefix form computes what the plain module computes, with less work."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from grokbench.architectures import Dense
from grokbench.architectures.prefix import BLOCK_BYTES, PrefixTransformer
from grokbench.record import Choice, ModelSize
from grokbench.tasks import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy
from grokbench.training.stack import Parameters, Stack, evaluation_batch, training_batch
from tests.training.small_runs import ADDITION, MIXTURE
from tests.training.stacks import (
    gradient,
    own_program,
    plain_gradient,
    plain_outputs,
    small_stack,
    views,
)

SIZES = (50, 33, 71)
NORMED: dict[str, Any] = {"layer_norm": True}
WIDE: dict[str, Any] = {"heads": 2, "mlp_ratio": 3, "initialization": "torch"}
CASES = {
    "one layer with norm": (ADDITION, "dense", 1, NORMED),
    "one layer with norm on a mixture": (MIXTURE, "split_ffn", 1, NORMED),
    "two layers": (ADDITION, "dense", 2, {}),
    "two layers with a wide start": (ADDITION, "dense", 2, WIDE),
    "two layers with norm": (ADDITION, "dense", 2, NORMED),
    "three layers on a mixture": (MIXTURE, "dense", 3, {}),
    "two layers divided": (MIXTURE, "split_ffn", 2, {}),
    "three layers divided with norm": (MIXTURE, "split_ffn", 3, NORMED),
}


def stack_for(case: str, initial_scale: float = 1.0) -> Stack:
    task, architecture, layers, options = CASES[case]
    return small_stack(
        task, architecture, ModelSize(8, layers), SIZES, "float64", initial_scale, **options
    )


def assert_near(expected: torch.Tensor, found: torch.Tensor, relative: float) -> None:
    assert ((found - expected).norm(dim=1) <= relative * expected.norm(dim=1)).all()


@pytest.mark.parametrize("initial_scale", [1.0, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_gradients_and_outputs_are_the_modules_to_1e_12(case: str, initial_scale: float) -> None:
    stack = stack_for(case, initial_scale)
    program = own_program(stack)
    assert isinstance(program, PrefixTransformer)
    assert_near(plain_gradient(stack), gradient(stack, program), 1e-12)
    found = program.outputs(views(stack))
    torch.testing.assert_close(found, plain_outputs(stack), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_blocks_of_examples_add_up_to_all_of_them(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stack_for(case)
    whole = own_program(stack)
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 2**17)
    blocks = own_program(stack)
    assert len(blocks.train) > len(whole.train) == 1
    assert_near(gradient(stack, whole), gradient(stack, blocks), 1e-13)
    torch.testing.assert_close(blocks.outputs(views(stack)), whole.outputs(views(stack)))


def test_the_same_gradient_twice_is_equal_to_the_bit() -> None:
    stack = small_stack(ADDITION, "dense", ModelSize(8, 2), SIZES)
    assert torch.equal(gradient(stack, own_program(stack)), gradient(stack, own_program(stack)))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, on import
def test_what_was_compiled_can_be_plain_again() -> None:
    stack = small_stack(ADDITION, "dense", ModelSize(8, 2), SIZES)
    program = own_program(stack)
    expected = gradient(stack, program)
    program.compile()
    assert program.compiled
    program.plain()
    assert not program.compiled
    assert torch.equal(expected, gradient(stack, program))


def test_a_run_that_is_not_finite_leaves_the_others_as_they_are() -> None:
    stack = stack_for("three layers divided with norm")
    program = own_program(stack)
    expected = gradient(stack, program)
    stack.parameters.flat[0].fill_(torch.inf)
    found = gradient(stack, program)
    assert found[0].isnan().any()
    assert torch.equal(expected[1:], found[1:])


def test_eight_layers_take_less_than_three_quarters_of_the_modules_work() -> None:
    stack = small_stack(
        Choice("modular_addition", {"modulus": 23}), "dense", ModelSize(32, 8), (400,)
    )
    program = own_program(stack)
    with FlopCounterMode(display=False) as plain:
        plain_gradient(stack)
    with FlopCounterMode(display=False) as prefix:
        gradient(stack, program)
    assert prefix.get_total_flops() < 0.75 * plain.get_total_flops()


class Sentences(Task):
    """Random sentences of a few words, so that prefixes of every length are shared."""

    name = "sentences"

    def __init__(self, length: int) -> None:
        self.length = length

    @property
    def inputs(self) -> Tokens:
        return Tokens(vocabulary=3, length=self.length)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(5)

    def check(self, data_size: int) -> str | None:
        return None

    def examples(self, data_size: int, streams: Any) -> Examples:
        inputs = torch.randint(3, (90, self.length), generator=streams)
        labels = torch.randint(5, (90,), generator=streams)
        train = torch.arange(90) < data_size
        part = torch.zeros(90, dtype=torch.int64)
        return Examples(inputs, labels, train, ~train, part, ~train)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_any_length_will_do_and_any_last_token(length: int, layers: int) -> None:
    task, architecture = Sentences(length), Dense.from_options({})
    streams = torch.Generator().manual_seed(0)
    models = [architecture.build(ModelSize(8, layers), task).double() for _ in range(2)]
    examples = [task.examples(data_size, streams) for data_size in (60, 80)]
    stack = Parameters.of(models, torch.device("cpu"))
    train = training_batch(examples, stack.flat)
    evaluation = evaluation_batch(examples, stack.flat)
    program = architecture.program(models[0], task.judgement, train, evaluation)
    assert isinstance(program, PrefixTransformer)
    found = torch.empty_like(stack.flat)
    program.gradient(stack.views(stack.flat), stack.views(found))
    for model, one, row in zip(models, examples, found, strict=True):
        loss = nn.functional.cross_entropy(model(one.inputs[one.train]), one.labels[one.train])
        expected = torch.autograd.grad(loss, list(model.parameters()))
        assert_near(nn.utils.parameters_to_vector(expected)[None], row[None], 1e-12)


def test_prefixes_are_shared_where_that_is_less_work() -> None:
    positions = {}
    for case in CASES:
        program = own_program(stack_for(case))
        assert isinstance(program, PrefixTransformer)
        positions[case] = program.prefixes.rows.shape[1]
    assert 0 == positions["one layer with norm"]
    assert 1 == positions["two layers"]
    assert 2 == positions["three layers on a mixture"] == positions["two layers divided"]


def without_last_norm(model: nn.Module) -> None:
    model.norm = nn.Identity()


def with_a_bias(model: nn.Module) -> None:
    model.layers[0].query = nn.Linear(8, 8)


def with_tied_weights(model: nn.Module) -> None:
    model.layers[1].query.weight = model.layers[0].query.weight


@pytest.mark.parametrize("change", [without_last_norm, with_a_bias, with_tied_weights])
def test_a_model_changed_after_it_was_built_has_no_program_of_its_own(change: Any) -> None:
    stack = small_stack(ADDITION, "dense", ModelSize(8, 2), SIZES, **NORMED)
    change(stack.models[0])
    architecture, judgement = stack.setup.architecture, stack.setup.task.judgement
    batches = stack.train, stack.evaluation
    assert architecture.program(stack.models[0], judgement, *batches) is None
