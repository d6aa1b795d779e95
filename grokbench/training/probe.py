"""The probe: how modules can be trained, found by trying.

Some modules cannot be trained as torch trains them, because they keep state where no checkpoint
finds it. Of the others, some cannot be stacked: operations raise an error under `vmap` (an LSTM, a
branch on a value), or give wrong gradients without an error. For example,
`nn.Embedding(padding_idx=…)` masks the padding row of the first run only, because the batching rule
shifts the indices of the other runs and not their padding index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from grokbench.architectures.base import Batch, Views
from grokbench.errors import PluginError
from grokbench.plugins import describe
from grokbench.training.attributes import same, unkept
from grokbench.training.models import convert
from grokbench.training.outside import changed, outside
from grokbench.training.single_modules import SingleModules, not_in_every_step
from grokbench.training.stack import Stack
from grokbench.training.stacked_modules import StackedModules

AGREEMENT = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far, relatively, stacked and single gradients may differ for the probe to pass."""

REPEATED = 1e-3
"""How far, relatively, the gradients of two calls may differ: a bound for what is not rounding."""

PROBED_EXAMPLES = 64
"""About how many evenly spread examples the probe looks at."""

MOVED = 0.01
"""How far the probe moves parameters from their initial values. Parameters that begin at zero would
hide the gradients of others."""


@dataclass(frozen=True)
class Probe:
    """How modules can be trained.

    Attributes:
        unreached: the names of the parameters that no gradient reaches.
        why_one_by_one: why modules cannot be stacked; empty if they can.
    """

    unreached: frozenset[str]
    why_one_by_one: str

    @classmethod
    def of(cls, stack: Stack) -> Probe:
        """Try a few steps with new modules and a few examples.

        Raises:
            PluginError: modules cannot be trained as torch trains them. The message says why.
            Exception: whatever else a module raises.
        """
        trial = Trial(stack)
        unreached = trial.unreached()
        trial.check_evaluation()
        reason = ""
        if len(stack.models) > 1:
            reason = trial.reason or why_not_stacked(stack, trial, unreached)
        return cls(unreached, reason)


class Trial:
    """A few training steps of single modules.

    Attributes:
        program: the modules.
        rows: the parameters at which gradients are computed.
        reason: why modules cannot be stacked, as far as a single module tells.
    """

    def __init__(self, stack: Stack) -> None:
        dtype = stack.parameters.flat.dtype
        self.stack = stack
        self.program = single(stack, stack.rebuilt(), probe_batch(stack.train, dtype))
        self.began = self.program.state()
        self.uncounted = unkept(self.program.models[0])
        self.reason = hooked(self.program.models[0])
        listening = Listening()
        with nullcontext() if self.reason else listening:
            for moved in (True, False):
                self.moved, self.rows = moved, rows_of(stack, dtype, moved=moved)
                self.first, after = self._steps()
                if all(bool(one.isfinite().all()) for one in self.first.values()):
                    break
                self.program.restore(self.began)
        if not self.reason:
            self.reason = self._changes(after, listening.heard)

    def _steps(self) -> tuple[dict[str, Tensor], Views]:
        """The gradients that arrive, [runs, …] by name; and the parameters after the calls."""
        rows = {name: one.clone() for name, one in self.rows.items()}
        runs = list(self.program.differentiated(rows))
        names = [{name for name, one in run.items() if one is not None} for run in runs]
        for other in names:
            if other != names[0]:
                raise PluginError(not_in_every_step(other ^ names[0]))
        if not names[0]:
            raise PluginError(
                "no parameter has a gradient; let the outputs depend on the parameters"
            )
        return {name: torch.stack([run[name] for run in runs]) for name in names[0]}, rows  # type: ignore[misc]

    def unreached(self) -> frozenset[str]:
        """The names of the parameters that no gradient reaches, in any of three calls.

        Raises:
            PluginError: calls from the same state differ, or a parameter has a gradient in some
                calls only.
        """
        model = self.program.models[0]
        for name, text in unkept(model).items():
            if self.uncounted.get(name) != text:
                raise PluginError(
                    f"forward() changes the attribute {name}, a {text.split()[0]}, which no "
                    "checkpoint can keep; write a number, a tensor or a buffer"
                )
        self.program.restore(self.began)
        again, _ = self._steps()
        further, _ = self._steps()
        self._check_outside()
        for other in (again, further):
            if set(other) != set(self.first):
                raise PluginError(not_in_every_step(set(other) ^ set(self.first)))
        if apart(self.first, again, REPEATED):
            raise PluginError(STATE.format(what="gradients", model=type(model).__name__))
        wanted = {name for name, one in model.named_parameters() if one.requires_grad}
        return frozenset(wanted - set(self.first))

    def _check_outside(self) -> None:
        """Check that what lies outside a module is the same after two equal calls.

        The steps before have filled caches. A cache then stays, and a counter goes on.

        Raises:
            PluginError: it is not.
        """
        self.program.restore(self.began)
        model = self.program.models[0]
        alone = single(self.stack, [model], self.program.train)
        began = alone.state()

        def trained() -> None:
            next(alone.differentiated({name: one.clone() for name, one in self.rows.items()}))

        def evaluated() -> None:
            alone.outputs(self.rows)

        for call in (trained, evaluated):
            states = []
            for _ in range(2):
                alone.restore(began)
                call()
                states.append(outside(model))
            place = changed(*states)
            if place:
                raise PluginError(OUTSIDE.format(model=type(model).__name__, place=place))

    def check_evaluation(self) -> None:
        """Check that two evaluations are equal.

        Raises:
            PluginError: they are not.
        """
        first, again = ({"outputs": self.program.outputs(self.rows)} for _ in range(2))
        if apart(first, again, REPEATED):
            name = type(self.program.models[0]).__name__
            raise PluginError(STATE.format(what="outputs", model=name))

    def _changes(self, after: Views, heard: bool) -> str:
        if heard:
            return (
                "forward() registers hooks on gradients, and a stack has one gradient for all runs"
            )
        for name, one in self.rows.items():
            if not same(one, after[name]):
                return f"forward() writes into the parameter {name}"
        for path, own in self.program.built[0].changed(self.program.models[0]).items():
            name = f"{path}.{next(iter(own))}".removeprefix(".")
            return f"forward() changes the attribute {name}, which runs of a stack would share"
        return ""


OUTSIDE = (
    "forward() of {model} changes {place} at each call; all runs in a process share this state, and "
    "no checkpoint keeps it; keep what changes in a buffer (self.register_buffer), and not in a "
    "global, a closure, a class or an object"
)

STATE = (
    "forward() of {model} gives other {what} when it is called again with the same parameters, "
    "buffers, attributes and random numbers, and a checkpoint could not continue the run; keep what "
    "changes in a buffer (self.register_buffer), and not in a global, a closure, a class or a "
    "generator"
)


class Listening(TorchFunctionMode):
    """Notes whether anything registers hooks on tensors."""

    heard = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.heard |= func in (Tensor.register_hook, Tensor.register_post_accumulate_grad_hook)
        return func(*args, **(kwargs or {}))


def hooked(model: nn.Module) -> str:
    """Why the structure of a module forbids to stack it; empty if nothing does."""
    for name, parameter in model.named_parameters():
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            return f"{name} has a hook on its gradient, and a stack has one gradient for all runs"
    for path, module in model.named_modules():
        kind = f"{path or 'the module'} ({type(module).__name__})"
        if module._backward_hooks or module._backward_pre_hooks:
            return f"{kind} has a hook on its gradient, and a stack has one gradient for all runs"
        # Asked by name: importing torch's compiler takes seconds.
        if type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None:
            return f"{kind} is compiled, and torch.func.vmap cannot call compiled modules"
        if isinstance(module, torch.jit.ScriptModule):
            return f"{kind} is a TorchScript module, and torch.func cannot replace its parameters"
    return ""


def why_not_stacked(stack: Stack, trial: Trial, unreached: frozenset[str]) -> str:
    """Why modules cannot be trained under `vmap`; empty when they can.

    Computes one gradient both ways in float64 and compares. A module that makes float32 numbers of
    its own (`one_hot(…).float()`) raises an error in float64 and is compared in float32. The
    precision of the runs is tried as well, with a coarse bound: converting a module to float64
    separates its parameters from attributes that shared their memory.
    """
    try:
        reason = difference(stack, unreached, torch.float64, trial.moved)
    except Exception:  # noqa: BLE001 (a plugin's module may raise anything, and does so again)
        return difference(stack, unreached, torch.float32, trial.moved)
    own = stack.parameters.flat.dtype
    if not reason and own is not torch.float64:
        reason = difference(stack, unreached, own, trial.moved, REPEATED)
    return reason


def difference(
    stack: Stack,
    unreached: frozenset[str],
    dtype: torch.dtype,
    moved: bool,
    within: float | None = None,
) -> str:
    """How stacked modules' results differ from single modules'; empty if they do not.

    Raises:
        Exception: what a single module raises when it is computed in `dtype`.
    """
    sample, rows = probe_batch(stack.train, dtype), rows_of(stack, dtype, moved=moved)
    alone = results(single(stack, converted(stack, dtype), sample, unreached), rows)
    try:
        together = results(
            StackedModules(
                converted(stack, dtype),
                stack.setup.architecture.takes_part,
                stack.setup.task.judgement,
                sample,
                sample,
                unreached=unreached,
            ),
            rows,
        )
    except Exception as error:  # noqa: BLE001 (a plugin's module may raise anything)
        return f"torch.func.vmap refuses it: {describe(error)}"
    # Padding has no outputs.
    real = sample.weights > 0
    for found in (alone, together):
        found["outputs"] = found["outputs"][real]
    name = apart(alone, together, within or AGREEMENT[dtype])
    return name and f"stacked and single {name} disagree under torch.func.vmap"


def results(program: SingleModules | StackedModules, rows: Views) -> dict[str, Tensor]:
    """Gradients, outputs, and what a step does to parameters and buffers."""
    rows = {name: one.clone() for name, one in rows.items()}
    gradients = {n: torch.empty_like(one) for n, one in rows.items() if one.is_floating_point()}
    program.gradient(rows, gradients)
    return {
        **gradients,
        "outputs": program.outputs(rows),
        **{f"buffer {name}": one.clone() for name, one in program.buffers.items()},
        **{f"parameter {name}": one for name, one in rows.items()},
    }


def apart(single: Mapping[str, Tensor], other: Mapping[str, Tensor], within: float) -> str:
    """The name of the first tensor that differs by more than `within`; empty if none does."""
    wide = {name: (widened(one), widened(other[name])) for name, one in single.items()}
    # A gradient that is zero but for rounding is compared with the largest of all gradients.
    largest = max((float(one.abs().max()) for one, _ in wide.values() if one.numel()), default=0.0)
    atol = within * min(1.0, largest)
    for name, (one, two) in wide.items():
        if not torch.allclose(two, one, rtol=within, atol=atol, equal_nan=True):
            return name
    return ""


def widened(values: Tensor) -> Tensor:
    return values.to(torch.complex128 if values.is_complex() else torch.float64)


def single(
    stack: Stack,
    models: Sequence[nn.Module],
    sample: Batch,
    unreached: frozenset[str] = frozenset(),
) -> SingleModules:
    return SingleModules(
        models,
        stack.setup.architecture.takes_part,
        stack.setup.task.judgement,
        sample,
        sample,
        noise=range(len(models)),
        unreached=unreached,
    )


def converted(stack: Stack, dtype: torch.dtype) -> list[nn.Module]:
    """New modules that are stored as `dtype`."""
    models = stack.rebuilt()
    for model in models:
        convert(model, dtype)
    return models


def rows_of(stack: Stack, dtype: torch.dtype, *, moved: bool) -> Views:
    """The parameters by name, [runs, …], on the CPU: near their initial values, or those themselves."""
    flat = stack.parameters.flat.cpu().to(dtype, copy=True)
    if moved:
        noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
        flat += MOVED * noise * (1 + flat.abs())
    frozen = {
        name: one.cpu().to(dtype if one.is_floating_point() else one.dtype)
        for name, one in stack.parameters.frozen.items()
    }
    return {**stack.parameters.views(flat), **frozen}


def probe_batch(batch: Batch, dtype: torch.dtype) -> Batch:
    """A few of the batch's examples, in `dtype`: evenly spread, and one with each token."""
    count = batch.inputs.shape[1]
    rows = set(range(0, count, max(1, count // PROBED_EXAMPLES)))
    if not batch.inputs.is_floating_point():
        for column in batch.inputs.flatten(0, 1).T:
            _, where = column.unique(return_inverse=True)
            first = {int(token): row % count for row, token in reversed(list(enumerate(where)))}
            rows |= set(first.values())
    chosen = torch.tensor(sorted(rows))

    def pick(values: Tensor) -> Tensor:
        values = values[:, chosen].cpu()
        return values.to(dtype) if values.is_floating_point() else values

    weights = torch.full((len(batch.inputs), len(chosen)), 1 / len(chosen), dtype=dtype)
    # The first run's last example is padding: this finds modules that mix examples.
    if len(chosen) > 1:
        weights[0, -1] = 0
    return Batch(pick(batch.inputs), pick(batch.labels), pick(batch.part), weights)
