"""A training loop that is written with torch alone, for recipes with batches or a held norm."""

from __future__ import annotations

import torch
from torch.nn import functional

from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.training import Setup
from grokbench.training.models import build_model
from tests.training.small_runs import PLUGINS


def in_a_plain_loop(one: Run) -> torch.Tensor:
    """The final parameters of a run: [parameters].

    The module, its initial weights and the examples are the trainer's own.
    """
    setup, recipe = Setup.of(one, PLUGINS), one.recipe
    model = build_model(one, setup.architecture, setup.task).train()
    examples = setup.task.examples(one.data_size, Streams(one.seed))
    inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    given = (inputs, examples.part[examples.train])[: 2 if setup.architecture.takes_part else 1]
    wanted = [value for value in model.parameters() if value.requires_grad]
    options = recipe.optimizer.options
    optimizer: torch.optim.Optimizer
    if recipe.optimizer.name == "adamw":
        optimizer = torch.optim.AdamW(
            wanted, betas=(0.9, 0.98), eps=options["epsilon"], weight_decay=recipe.weight_decay
        )
    else:
        optimizer = torch.optim.SGD(wanted, lr=1.0, weight_decay=recipe.weight_decay, **options)
    with torch.no_grad():
        initial = torch.cat([value.flatten() for value in wanted]).norm()
    epoch, waiting = 0, torch.arange(0)
    for step in range(recipe.steps):
        if not len(waiting):
            stream = Streams(one.seed)(f"batches:{epoch}")
            waiting, epoch = torch.randperm(len(inputs), generator=stream), epoch + 1
        size = recipe.batch_size or len(inputs)
        batch, waiting = waiting[:size], waiting[size:]
        warm = min(1.0, (step + 1) / recipe.warmup_steps)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * warm
        optimizer.zero_grad()
        outputs = model(*(one[batch] for one in given))
        if labels.is_floating_point():
            loss = functional.mse_loss(outputs, labels[batch].double())
        else:
            loss = functional.cross_entropy(outputs, labels[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if recipe.norm == "initial":
            with torch.no_grad():
                factor = initial / torch.cat([value.flatten() for value in wanted]).norm()
                for value in wanted:
                    value.mul_(factor)
    return torch.cat([value.detach().flatten() for value in model.parameters()])
