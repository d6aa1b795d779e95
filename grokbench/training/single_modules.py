"""The program for modules that are computed one after the other, each as torch computes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Batch, Program, Views
from grokbench.architectures.copying import take_over
from grokbench.errors import PluginError
from grokbench.randomness import Streams
from grokbench.tasks.judging import Judgement
from grokbench.training.attributes import Attributes, assign
from grokbench.training.random_state import begin_at, torchs_generators
from grokbench.training.stack import Stack


class SingleModules(Program):
    """Gradients and outputs of plain modules, one run after the other.

    A module is called and differentiated as an ordinary training loop does it, so that its hooks
    run, and what it changes stays changed: buffers, plain attributes, and parameters that it writes
    into. An evaluation changes nothing.

    The parameters that train lie in a tensor of the stack. They are copied into the module's own
    parameters before each call, because other objects may share the memory of these.

    A module draws random numbers from a stream of the run's own. A module that draws from numpy or
    Python is refused (`PluginError`).

    Args:
        models: one for each run. The program owns them and changes them.
        takes_part: whether `forward` is also given each example's part.
        noise: the seed of each run's random stream.
        unreached: the names of the parameters that no gradient reaches.
        why_one_by_one: why modules are not stacked, where they might be.
    """

    autocasts = True
    takes_batches = True
    capturable = False
    compilable = False

    def __init__(
        self,
        models: Sequence[nn.Module],
        takes_part: bool,
        judgement: Judgement,
        train: Batch,
        evaluation: Batch,
        *,
        noise: Sequence[int],
        unreached: frozenset[str] = frozenset(),
        why_one_by_one: str = "",
    ) -> None:
        self.device = train.weights.device
        self.models = [model.to(self.device) for model in models]
        self.takes_part, self.judgement = takes_part, judgement
        self.unreached, self.why_one_by_one = unreached, why_one_by_one
        self.train, self.evaluation = train, evaluation
        self.batch = train
        self.own = [dict(model.named_parameters()) for model in self.models]
        self.built = [Attributes.of(model) for model in self.models]
        self.noise = [torch.Generator().manual_seed(seed).get_state() for seed in noise]

    @classmethod
    def of(
        cls, stack: Stack, *, unreached: frozenset[str] = frozenset(), why_one_by_one: str = ""
    ) -> Self:
        """The program of a stack, whose runs draw random numbers from their own streams."""
        return cls(
            stack.rebuilt(),
            stack.setup.architecture.takes_part,
            stack.setup.task.judgement,
            stack.train,
            stack.evaluation,
            noise=[Streams(run.seed).key("noise") for run in stack.runs],
            unreached=unreached,
            why_one_by_one=why_one_by_one,
        )

    @property
    def buffers(self) -> Views:  # type: ignore[override]
        each = [dict(model.named_buffers()) for model in self.models]
        return {name: torch.stack([one[name] for one in each]) for name in each[0]}

    def state(self) -> dict[str, Any]:
        return {
            "runs": [
                {
                    "buffers": {name: one.clone() for name, one in model.named_buffers()},
                    "attributes": built.changed(model),
                    "noise": noise.clone(),
                }
                for model, built, noise in zip(self.models, self.built, self.noise, strict=True)
            ]
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for run, (model, kept) in enumerate(zip(self.models, state["runs"], strict=True)):
            take_over(model, {**self.own[run], **kept["buffers"]})
            self.built[run].give_back(model)
            assign(model, kept["attributes"])
            # A copy: torch reads the memory of a generator's state from its beginning.
            self.noise[run] = kept["noise"].clone()

    def select(self, rows: Tensor, weights: Tensor) -> None:
        self.batch = selected(self.train, self.batch, rows, weights)

    def gradient(self, parameters: Views, gradients: Views) -> None:
        for run, found in enumerate(self.differentiated(parameters)):
            without = {name for name, value in found.items() if value is None}
            if without != self.unreached:
                raise PluginError(not_in_every_step(without ^ self.unreached))
            for name, gradient in gradients.items():
                value = found.get(name)
                gradient[run] = 0 if value is None else value

    def differentiated(self, parameters: Views) -> Iterator[dict[str, Tensor | None]]:
        """The gradients of each run's parameters that want one; None where no gradient arrives.

        What a module writes into its parameters is copied into `parameters`.
        """
        for run in range(len(self.models)):
            with self._lent_generators():
                found = self._differentiated(
                    run, {name: one[run] for name, one in parameters.items()}
                )
            yield found

    def _differentiated(self, run: int, parameters: Views) -> dict[str, Tensor | None]:
        model, own = self.models[run].train(), self.own[run]
        self._lend(own, parameters)
        for parameter in own.values():
            parameter.grad = None
        batch = self.batch
        real = batch.weights[run] > 0
        outputs = self._called(run, batch, real)
        if not outputs.requires_grad:
            raise PluginError(
                f"forward() of {type(model).__name__} gives outputs without a gradient; do not "
                "detach them, and do not compute them under torch.no_grad()"
            )
        with torch.no_grad():
            # In the parameters' own precision: under autocast, outputs may be bfloat16.
            slope = self.judgement.gradient(
                outputs.detach().to(batch.weights),
                batch.labels[run][real],
                batch.weights[run][real],
            ).to(outputs)
        outputs.backward(slope)  # type: ignore[no-untyped-call]
        self.noise[run] = torch.get_rng_state()
        found = {name: one.grad for name, one in own.items() if one.requires_grad}
        for name, value in found.items():
            if value is not None and value.layout is not torch.strided:
                raise PluginError(
                    f"the gradient of {name} is sparse, and the optimizers take dense gradients; "
                    "write sparse=False"
                )
        with torch.no_grad():
            for name, parameter in own.items():
                parameters[name].copy_(parameter)
        return found

    @torch.no_grad()
    def outputs(self, parameters: Views) -> Tensor:
        alone = []
        with self._lent_generators():
            for run, model in enumerate(self.models):
                self._lend(self.own[run], {name: one[run] for name, one in parameters.items()})
                buffers = {name: one.clone() for name, one in model.named_buffers()}
                attributes = Attributes.of(model)
                model.eval()
                real = self.evaluation.weights[run] > 0
                shown = self._called(run, self.evaluation, real)
                take_over(model, {**self.own[run], **buffers})
                attributes.give_back(model)
                # Zero for padding. The module is never shown the padding: a batch norm would mix
                # padding with the examples.
                padding = shown.new_zeros(len(real) - len(shown), *shown.shape[1:])
                alone.append(torch.cat([shown, padding]))
        return torch.stack(alone).to(self.evaluation.weights)

    def _called(self, run: int, batch: Batch, real: Tensor) -> Tensor:
        """One run's outputs: [examples, outputs]. The examples are those where `real` is true."""
        inputs = (batch.inputs[run], batch.part[run]) if self.takes_part else (batch.inputs[run],)
        begin_at(self.noise[run], self.device)
        model = self.models[run]
        outputs = model(*(one[real] for one in inputs))
        return checked(outputs, model, int(real.sum()), self.judgement.outputs)

    @torch.no_grad()
    def _lend(self, own: Mapping[str, nn.Parameter], parameters: Views) -> None:
        """Copy the stack's parameters into a module's own."""
        for name, parameter in own.items():
            # A frozen parameter may be expanded: such a tensor cannot be written into.
            if parameter.requires_grad or not torch.equal(parameter, parameters[name]):
                parameter.copy_(parameters[name])

    @contextmanager
    def _lent_generators(self) -> Iterator[None]:
        module = type(self.models[0]).__name__
        with torchs_generators(self.device, f"forward() of {module}"):
            yield


def selected(every: Batch, former: Batch, rows: Tensor, weights: Tensor) -> Batch:
    """Some of the training examples, in the tensors of the former selection where there is one."""
    picked = every.pick(rows, weights)
    if former is every:
        return picked
    former.overwrite(picked)
    return former


def not_in_every_step(names: Set[str]) -> str:
    """Why parameters that have a gradient in some steps only cannot be trained."""
    return (
        f"{', '.join(sorted(names))} has a gradient in some steps or runs and none in others, and "
        "an optimizer steps all parameters of a stack at once; let each parameter take part in "
        "every step: multiply a layer that is left out by zero"
    )


def checked(outputs: Any, model: nn.Module, examples: int, width: int) -> Tensor:
    """What a module gave for a batch of examples, if it is what a task can judge.

    Raises:
        PluginError: it is no tensor of real numbers.
        ValueError: its shape is not [examples, width].
    """
    whose = f"forward() of {type(model).__name__} gives"
    if not isinstance(outputs, Tensor):
        raise PluginError(
            f"{whose} a {type(outputs).__name__}; return one tensor [examples, {width}]"
        )
    if not outputs.is_floating_point():
        raise PluginError(f"{whose} {outputs.dtype}; return real numbers, one for each output")
    if outputs.shape != (examples, width):
        raise ValueError(
            f"the architecture gives outputs of shape {list(outputs.shape)}; "
            f"write {[examples, width]}"
        )
    return outputs
