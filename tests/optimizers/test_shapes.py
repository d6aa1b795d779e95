"""An optimizer knows the parameters' names and shapes, and takes a matrix of all runs as one tensor."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from grokbench.optimizers import AdamW
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, Run
from grokbench.training import Setup
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.execution import reads_back
from grokbench.training.loop import train_to_end
from grokbench.training.stack import build_model
from tests.training.small_runs import run

PLUGIN = '''
import torch
import grokbench


class Spectral(grokbench.Optimizer):
    """Descends along each gradient, that of a matrix divided by the matrix's largest singular value."""

    name = "spectral"

    def start(self, parameters):
        self.matrices = [name for name, shape in self.shapes.items() if len(shape) == 2]

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        for name, gradient in self.views(gradients).items():
            if name in self.matrices:
                gradient /= torch.linalg.matrix_norm(gradient, 2, keepdim=True)
        parameters.addcmul_(gradients, learning_rate, value=-1)


@grokbench.hookimpl
def register_optimizers(register):
    register(Spectral)
'''


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Plugins:
    file = tmp_path_factory.mktemp("plugin") / "spectral.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return Plugins.load([file])


def spectral(seed: int) -> Run:
    return run(
        seed=seed,
        data_size=40 + seed,
        steps=8,
        optimizer=Choice("spectral"),
        learning_rate=1e-2,
        precision="float64",
        warmup_steps=0,
    )


def alone(one: Run, plugins: Plugins) -> torch.Tensor:
    """The parameters after training with the module, autograd and each matrix's own singular values."""
    made = Setup.of(one, plugins)
    model = build_model(one, made.architecture, made.task)
    examples = made.task.examples(one.data_size, Streams(one.seed))
    inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
    for _ in range(one.recipe.steps):
        model.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for value in model.parameters():
                assert value.grad is not None
                step = value.grad
                if step.ndim == 2:
                    step = step / torch.linalg.svdvals(step)[0]
                value -= one.recipe.learning_rate * step
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def test_each_matrix_of_each_run_is_stepped_as_the_matrix_that_it_is(plugins: Plugins) -> None:
    runs = [spectral(seed) for seed in (0, 1, 2)]
    training = CohortTraining(runs, plugins, torch.device("cpu"))
    assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
    for row, one in zip(training.parameters, runs, strict=True):
        torch.testing.assert_close(row, alone(one, plugins), rtol=1e-8, atol=1e-9)


def test_the_shapes_are_the_modules_and_no_part_of_a_checkpoint(plugins: Plugins) -> None:
    one = spectral(0)
    training = CohortTraining([one], plugins, torch.device("cpu"))
    made = Setup.of(one, plugins)
    expected = {
        name: value.shape
        for name, value in build_model(one, made.architecture, made.task).named_parameters()
    }
    assert expected == training.optimizer.shapes
    assert ["matrices"] == list(training.optimizer.state())


def test_views_share_the_memory_of_the_tensor_that_is_cut() -> None:
    optimizer = AdamW()
    optimizer.shapes = {"weight": (2, 3), "gain": ()}
    flat = torch.arange(14.0).view(2, 7)
    cut = optimizer.views(flat)
    assert [(2, 2, 3), (2,)] == [tuple(one.shape) for one in cut.values()]
    cut["gain"].fill_(-1)
    assert [-1, -1] == flat[:, 6].tolist()


def test_an_optimizer_that_needs_shapes_is_tried_with_them_before_it_is_captured(
    plugins: Plugins,
) -> None:
    spectral = plugins.optimizers["spectral"]()
    spectral.shapes = {"weight": (2, 3), "bias": (2,)}
    assert "" == reads_back(spectral)
