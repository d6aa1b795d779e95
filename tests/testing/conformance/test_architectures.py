"""Architectures that are hard to stack, or break their contract, and what the kit says of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from grokbench import Architecture, Features, Tokens
from grokbench.architectures import Dense
from grokbench.architectures.base import Program
from grokbench.testing import CheckOutcome, checks_for
from grokbench.testing.conformance.small_models import Teacher
from tests.testing.faults import faults, notes


class Model(nn.Module):
    """Embeds tokens, mixes them by layers of `body`, and reads out."""

    def __init__(self, size, task, body):
        super().__init__()
        width = size.hidden_size
        self.embed = nn.Embedding(task.inputs.vocabulary, width)
        self.body = nn.ModuleList(body(width) for _ in range(size.layers))
        self.read = nn.Linear(width, task.judgement.outputs)

    def forward(self, inputs):
        stream = self.embed(inputs)
        for layer in self.body:
            stream = layer(stream)
            stream = stream[0] if isinstance(stream, tuple) else stream
        return self.read(stream[..., -1, :] + stream.mean(-2))


class Reader(Architecture):
    """Reads tokens through layers of a kind, and nothing is wrong with it."""

    name = "reader"

    def refuses(self, task, size):
        return None if isinstance(task.inputs, Tokens) else "it reads tokens; choose such a task"

    def body(self, width):
        return nn.Sequential(nn.Linear(width, width), nn.Tanh())

    def build(self, size, task):
        return Model(size, task, self.body)


class Lstm(Reader):
    """LSTMs: vmap has no rule for them."""

    def body(self, width):
        return nn.LSTM(width, width, batch_first=True)


class Padded(Reader):
    """A row of the embedding that is never trained: vmap masks that of the first run alone."""

    def build(self, size, task):
        model = super().build(size, task)
        model.embed = nn.Embedding(task.inputs.vocabulary, size.hidden_size, padding_idx=3)
        return model


class Dropping(Reader):
    """Dropout: random numbers while it trains."""

    def body(self, width):
        return nn.Sequential(nn.Linear(width, width), nn.Dropout(0.5))


class Looking(Reader):
    """Looks at a value, which vmap cannot."""

    def body(self, width):
        return Looker(width)


class Looker(nn.Linear):
    def __init__(self, width):
        super().__init__(width, width)

    def forward(self, stream):
        mixed = super().forward(stream)
        return mixed if mixed.mean().item() > 0 else 2 * mixed


def drawing(draw):
    """Layers that multiply by numbers drawn somehow."""

    class Drawn(nn.Linear):
        def forward(self, stream):
            return super().forward(stream) * draw(stream)

    return lambda self, width: Drawn(width, width)


class Restless(Reader):
    """Random numbers of torch's in evaluation, too."""

    body = drawing(torch.rand_like)


class Numpyish(Reader):
    """Noise from numpy's generator, while it trains."""

    def body(self, width):
        return nn.Sequential(nn.Linear(width, width), Noise())


class Noise(nn.Module):
    def forward(self, stream):
        return stream * np.random.rand() if self.training else stream  # noqa: NPY002


STACKING = [
    (Reader, "at once (modular_addition, mixture)"),
    (Lstm, "one after the other, because torch.func.vmap refuses it: RuntimeError: Batching rule"),
    (Padded, "one after the other, because stacked and single embed.weight disagree"),
    (Dropping, "one after the other, because torch.func.vmap refuses it: RuntimeError: vmap: call"),
    (Looking, "one after the other, because torch.func.vmap refuses it: RuntimeError: vmap: It lo"),
]


@pytest.mark.parametrize(("architecture", "how"), STACKING, ids=lambda one: str(one)[-20:])
def test_what_is_hard_to_stack_trains_as_its_plain_module_and_the_kit_says_how(architecture, how):
    assert {} == faults(architecture)
    assert how in notes(architecture)["trains_as_its_module_does"]


def test_dropout_draws_from_a_stream_of_each_runs_own():
    assert {} == faults(Dropping)
    assert "(batch norm, dropout)" in notes(Dropping)["answers_each_example_alone"]


class Wide(Reader):
    """More outputs than there are classes."""

    def build(self, size, task):
        model = super().build(size, task)
        model.read = nn.Linear(size.hidden_size, task.judgement.outputs + 3)
        return model


class Willing(Reader):
    """Says that it takes vectors."""

    def refuses(self, task, size):
        return None


class Unwilling(Reader):
    """Refuses everything."""

    def refuses(self, task, size):
        return "it has had enough"


class Curt(Reader):
    """Refuses without a word."""

    def refuses(self, task, size):
        return "" if isinstance(task.inputs, Features) else None


class Shallow(Reader):
    """One layer, whatever is asked for."""

    def build(self, size, task):
        model = super().build(size, task)
        model.body = model.body[:1]
        return model


class Fixed(Reader):
    """The same width, whatever is asked for."""

    def build(self, size, task):
        return Model(type(size)(8, size.layers), task, self.body)


class Numbed(Reader):
    """Initial weights from numpy's generator."""

    def build(self, size, task):
        model = super().build(size, task)
        shape = model.embed.weight.shape
        model.embed.weight.data = torch.from_numpy(np.random.randn(*shape)).float()  # noqa: NPY002
        return model


class Restarted(Reader):
    """Initial weights from a generator that nobody can put back."""

    def build(self, size, task):
        model = super().build(size, task)
        drawn = np.random.default_rng().standard_normal(model.embed.weight.shape)
        model.embed.weight.data = torch.from_numpy(drawn).float()
        return model


class Unsorted(Reader):
    """Layers in the order of a set."""

    def build(self, size, task):
        model = super().build(size, task)
        words = {"one", "two", "three", "four", "five", "six", "seven"}
        model.more = nn.ModuleDict({word: nn.Linear(1, 1) for word in words})
        return model


class Privy(Reader):
    """A buffer that is in no state_dict(), from a generator of its own."""

    def build(self, size, task):
        model, generator = super().build(size, task), torch.Generator()
        generator.seed()
        model.register_buffer("salt", torch.rand(3, generator=generator), persistent=False)
        return model


class Seeding(Reader):
    """Its own seed, so that all runs begin alike."""

    def build(self, size, task):
        torch.manual_seed(0)
        return super().build(size, task)


class Switching(Reader):
    """Sets the default dtype for everybody."""

    def build(self, size, task):
        torch.set_default_dtype(torch.float64)
        return super().build(size, task)


class Normalizing(Reader):
    """Uses statistics of the batch in evaluation, too."""

    def body(self, width):
        return nn.Sequential(nn.Linear(width, width), Centring())


class Centring(nn.Module):
    def forward(self, stream):
        return stream - stream.mean(0, keepdim=True)


class Drifting(Reader):
    """A parameter that every call changes."""

    def body(self, width):
        return Drift(width, width)


class Drift(nn.Linear):
    def forward(self, stream):
        self.weight.data.mul_(0.99)
        return super().forward(stream)


class Scribbling(Reader):
    """Writes into its inputs, to the same effect each time."""

    def build(self, size, task):
        return nn.Sequential(Scribble(), super().build(size, task))


class Scribble(nn.Module):
    def forward(self, inputs):
        inputs[:, 0] = inputs[:, -1]
        return inputs


class Listed(Reader):
    """A factor in a list, where no module looks for parameters."""

    def body(self, width):
        return Listing(width, width)


class Listing(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.factors = [torch.ones(3, requires_grad=True)]

    def forward(self, stream):
        return super().forward(stream) * self.factors[0].sum().to(stream)


class Hooked(Reader):
    """A hook that trains the embedding half as fast."""

    def build(self, size, task):
        model = super().build(size, task)
        model.embed.weight.register_hook(lambda gradient: 0.5 * gradient)
        return model


class Reseeding(Reader):
    """Dropout, of the same units at every step."""

    def body(self, width):
        return nn.Sequential(Reseed(), nn.Linear(width, width), nn.Dropout(0.5))


class Reseed(nn.Module):
    def forward(self, stream):
        torch.manual_seed(0)
        return stream


class Counting(Reader):
    """Answers that change from call to call."""

    def body(self, width):
        return Counter(width, width)


class Counter(nn.Linear):
    calls = 0

    def forward(self, stream):
        self.calls += 1
        return super().forward(stream) * self.calls


class Detached(Reader):
    """Outputs without a gradient."""

    def build(self, size, task):
        return nn.Sequential(super().build(size, task), Detach())


class Detach(nn.Module):
    def forward(self, outputs):
        return outputs.detach()


class Indifferent(Reader):
    """Outputs that depend on no parameter."""

    def build(self, size, task):
        return nn.Sequential(super().build(size, task), Zero())


class Zero(nn.Module):
    def forward(self, outputs):
        return 0 * outputs


class Lone(Reader):
    """Cannot answer a single example."""

    def body(self, width):
        return Squeezing(width, width)


class Squeezing(nn.Linear):
    def forward(self, stream):
        return super().forward(stream).squeeze(0)


class Wrong(Program):
    """Computes what the model computes, but for one mistake."""

    def __init__(self, model, judgement, train, evaluation, mistake):
        self.model, self.judgement, self.mistake = model, judgement, mistake
        self.train, self.evaluation = train, evaluation

    def gradient(self, parameters, gradients):
        leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        outputs = self._forward(leaves, self.train)
        slope = self.judgement.gradient(outputs.detach(), self.train.labels, self.train.weights)
        found = torch.autograd.grad(outputs, list(leaves.values()), slope)
        for name, value in zip(leaves, found, strict=True):
            if self.mistake == "gradient" and name == "read.bias":
                value = 1.001 * value
            if self.mistake == "adding":
                gradients[name].add_(value)
            else:
                gradients[name].copy_(value)
        if self.mistake == "writing":
            parameters["read.bias"].zero_()

    def outputs(self, parameters):
        with torch.no_grad():
            found = self._forward(parameters, self.evaluation)
        return found + 1e-6 if self.mistake == "outputs" else found

    def _forward(self, parameters, batch):
        return torch.stack([
            torch.func.functional_call(
                self.model, {name: value[run] for name, value in parameters.items()}, (inputs,)
            )
            for run, inputs in enumerate(batch.inputs)
        ])  # fmt: skip


BATCHED = ("nothing in batches", "unable to select", "keeping a batch", "weighing alike")


class Batched(Wrong):
    """Takes batches, but for one mistake."""

    takes_batches = True

    def __init__(self, model, judgement, train, evaluation, mistake):
        super().__init__(model, judgement, train, evaluation, mistake)
        self.every = train

    def select(self, rows, weights):
        if self.mistake == "unable to select":
            super().select(rows, weights)
        if self.mistake != "keeping a batch" or self.train is self.every:
            self.train = self.every.pick(rows, weights)
        if self.mistake == "weighing alike":
            self.train = self.every.pick(rows, torch.full_like(weights, 1 / rows.shape[1]))


def mistaken(mistake):
    class Mistaken(Reader):
        def program(self, model, judgement, train, evaluation):
            kind = Batched if mistake in BATCHED else Wrong
            return kind(model, judgement, train, evaluation, mistake)

    return Mistaken


class Remembering(Reader):
    """All modules share what the last call saw."""

    def body(self, width):
        return Shared(width, width)


class Shared(nn.Linear):
    seen = torch.zeros(1, dtype=torch.float64)

    def forward(self, stream):
        answer = super().forward(stream) + Shared.seen
        if self.training:
            Shared.seen = answer.detach().mean()
        return answer


class Single(Reader):
    """Casts to float32 on its way."""

    def body(self, width):
        return nn.Sequential(nn.Linear(width, width), Casting())


class Casting(nn.Module):
    def forward(self, stream):
        return stream.float().tanh().to(stream)


class Frozen(Reader):
    """An embedding that is not to be trained."""

    def build(self, size, task):
        model = super().build(size, task)
        model.embed.weight.requires_grad_(False)
        return model


class Uncopied(Reader):
    """Keeps a generator, which cannot be copied."""

    def build(self, size, task):
        model = super().build(size, task)
        model.generator = (one for one in ())
        return model


FAULTS = [
    (Restless, "gives_the_same_again", "outputs depend on torch's random state"),
    (
        Numpyish,
        "gives_the_same_again",
        "outputs depend on numpy's random state (calling size 4 on modular_addition in training)",
    ),
    (Wide, "gives_an_output_for_each_answer", "forward() gives [49, 10]"),
    (Willing, "builds_what_it_does_not_refuse", "no attribute 'vocabulary'"),
    (Unwilling, "builds_what_it_does_not_refuse", "it has had enough"),
    (Curt, "refuses_in_words", "refuses() for teacher_of_the_kit at size 1 gives ''"),
    (Shallow, "grows_with_model_size", "size 2x4 has"),
    (Fixed, "grows_with_model_size", "curves over model size would show the same model twice"),
    (Restarted, "gives_the_same_again", "embed.weight change from one time to the next"),
    (Privy, "gives_the_same_again", "salt change from one time to the next"),
    (Unsorted, "gives_the_same_in_another_process", "have other values in another process"),
    (Numbed, "builds_what_it_does_not_refuse", "it draws from numpy's global random generator"),
    (Seeding, "another_seed_other_weights", "seeds 0 and 1 have the same weights"),
    (Switching, "changes_nothing_else", "changes torch's default dtype"),
    (Normalizing, "answers_each_example_alone", "change by"),
    (Drifting, "changes_nothing_else", "in training changes body.0.weight"),
    (Scribbling, "changes_nothing_else", "in training changes input 0"),
    (Listed, "gradients_reach_every_parameter", "depend on tensors [3] that want a gradient"),
    (Reseeding, "does_not_seed_torch", "forward() seeds torch's generator"),
    (Counting, "gives_the_same_again", "outputs change from one time to the next"),
    (Detached, "gives_an_output_for_each_answer", "outputs have no gradient"),
    (Indifferent, "gradients_reach_every_parameter", "no parameter has a gradient"),
    (Lone, "gives_an_output_for_each_answer", "forward() gives [7]"),
    (mistaken("gradient"), "trains_as_its_module_does", "gradient of read.bias is off by"),
    (mistaken("outputs"), "trains_as_its_module_does", "outputs is off by 1e-06"),
    (mistaken("writing"), "trains_as_its_module_does", "changes the parameters"),
    (mistaken("unable to select"), "trains_as_its_module_does", "Batched takes no batches"),
    (mistaken("keeping a batch"), "trains_as_its_module_does", "with a batch, its program's"),
    (mistaken("weighing alike"), "trains_as_its_module_does", "with a batch, its program's"),
    (mistaken("adding"), "trains_as_its_module_does", "adds to the gradient of"),
    (Remembering, "gives_the_same_again", "outputs change from one time to the next"),
    (Uncopied, "builds_what_it_does_not_refuse", "a module that can be copied"),
]


@pytest.mark.parametrize(
    ("architecture", "check", "words"), FAULTS, ids=[f"{a.__name__}-{c}" for a, c, _ in FAULTS]
)
def test_a_broken_architecture_is_found_by_its_check_and_told_what_is_wrong(
    architecture, check, words
):
    found = faults(architecture)
    assert check in found
    assert words in found[check]


def test_what_is_right_in_float64_alone_is_no_fault():
    """Rounding to float32 on the way is a model of its own, and stacks all the same."""
    assert {} == faults(Single)


def test_a_hook_on_a_gradient_is_called_and_keeps_runs_from_being_stacked():
    assert {} == faults(Hooked)
    told = notes(Hooked)["trains_as_its_module_does"]
    assert "one after the other, because embed.weight has a hook on its gradient" in told


def test_what_is_frozen_needs_no_gradient():
    assert {} == faults(Frozen)


def test_a_correct_program_passes():
    assert {} == faults(mistaken("none"))
    assert {} == faults(mistaken("nothing in batches"))
    assert "by its own program" in notes(mistaken("none"))["trains_as_its_module_does"]


class Odd(Teacher):
    """Vectors of a width that nobody else has."""

    name = "odd"

    def check(self, data_size):
        return None if 30 <= data_size <= 40 else "write 30 to 40"


class Particular(Architecture):
    """Takes one task alone."""

    name = "particular"

    def refuses(self, task, size):
        return None if task.name == "odd" else "it takes odd alone"

    def build(self, size, task):
        layers = [nn.Linear(task.inputs.width, size.hidden_size), nn.ReLU()]
        for _ in range(size.layers - 1):
            layers += [nn.Linear(size.hidden_size, size.hidden_size), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(size.hidden_size, task.judgement.outputs))


def test_an_architecture_for_one_task_is_tried_on_the_task_that_it_is_given():
    assert "register a task beside it" in faults(Particular)["builds_what_it_does_not_refuse"]
    assert {} == faults(Particular, tasks=[Odd()])


def test_where_nothing_can_be_built_other_checks_say_where_to_look():
    results = [check.result() for check in checks_for(Unwilling)]
    assert 1 == sum(one.outcome is CheckOutcome.FAILED for one in results)
    assert "see builds_what_it_does_not_refuse" in {one.message for one in results}


def test_a_subclass_of_a_built_in_that_computes_something_else_is_not_given_its_program():
    class Variant(Dense):
        name = "variant"

        def build(self, size, task):
            model = super().build(size, task)
            model.norm = nn.LayerNorm(size.hidden_size)
            return model

    assert {} == faults(Variant)
    assert "at once (" in notes(Variant)["trains_as_its_module_does"]
