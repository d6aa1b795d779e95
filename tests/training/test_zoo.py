"""Modules as the field writes them: trained as torch trains them, or refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from grokbench.forecast import plan_suite
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run, Status
from grokbench.training import Setup, train
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.loop import train_to_end
from grokbench.training.programs import probed
from tests.training.zoo_plugin import ZOO

PLUGINS = Plugins.load([Path(__file__).parent / "zoo_plugin.py"])
STEPS, RATE, DECAY = 30, 1e-2, 0.1
ADAMW = Choice("adamw", {"betas": [0.9, 0.98], "epsilon": 1e-4})
SGD = Choice("sgd", {"momentum": 0.9})

REFUSED = {
    "sparse_embedding": "the gradient of embed.weight is sparse",
    "lazy_linear": "body.weight has no shape yet, because its layer is lazy",
    "tuple_outputs": "forward() of Sequential gives a tuple; return one tensor [examples, 5]",
    "detached_outputs": "forward() of Sequential gives outputs without a gradient",
    "integer_outputs": "forward() of Sequential gives torch.int64; return real numbers",
    "complex_parameter": "the parameter body.phase is torch.complex64; only real parameters",
    "nothing_to_train": "there is nothing to train",
    "parameters_that_share_memory": "body.b and body.a.weight share memory",
    "expanded_parameter": "the parameter body.gain is expanded",
    "layers_dropped_at_random": "body.a.bias, body.a.weight has a gradient in some steps",
    "counter_outside": "keep what changes in a buffer",
    "generator_of_its_own": "keep what changes in a buffer",
    "queue_in_an_attribute": "changes the attribute body.queue, a deque",
    "late_counter_in_a_class": "changes the attribute calls of the class Late at each call",
    "late_list_in_a_class": "changes the attribute trace of the class Late at each call",
    "late_iterator_in_a_class": "changes the attribute ticks of the class Late at each call",
    "late_counter_in_a_global": "changes the global late_calls at each call",
    "late_tensor_in_a_global": "changes the global late_mean at each call",
    "late_switch_in_a_closure": "changes the variable on in the closure of late_switch_in_a_closure",
    "late_counter_in_a_hook": "changes a default or an attribute of the function late_counter_in_a_h",
    "late_counter_in_an_object": "changes the attribute body.counter at each call",
    "late_counter_of_evaluations": "changes a default or an attribute of the function late_counter_o",
}
"""What a plan says of each module that cannot be trained."""

ONE_BY_ONE = {
    "gru": "vmap",
    "scripted": "TorchScript",
    "compiled": "is compiled",
    "hook_on_a_parameter": "embed.weight has a hook",
    "hook_after_the_gradient": "embed.weight has a hook",
    "backward_hook_of_a_module": "body (Linear) has a hook",
    "hook_in_forward": "registers hooks",
    "counter_in_an_attribute": "changes the attribute body.calls",
    "embedding_with_largest_norm": "",
    "weights_clipped_in_forward": "writes into the parameter body.a.weight",
    "averaged_weights": "writes into the parameter body.slow.weight",
    "shared_memory": "",
    "batch_norm": "disagree",
}
"""Why modules are trained one after the other: the words that the reason has."""

STACKED = (
    "multihead_attention",
    "encoder_layer",
    "einsum_attention",
    "unused_layer_norm",
    "rms_norm",
)

ALIKE = (
    "compiled", "group_norm", "weight_norm", "old_spectral_norm", "embedding_bag", "stored_attention",
    "bilinear_and_prelu", "checkpointed_reentrantly", "encoder_layer", "lstm", "shared_module",
    "parameter_list_and_dict", "custom_function",
)  # fmt: skip
"""Modules that are slow, or that are trained in the same way as another one of the zoo."""

TRAINED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in ALIKE))
    for name in ZOO
    if name not in REFUSED
]
# SGD shows what AdamW hides: AdamW's step hardly depends on the size of the gradient.
SENSITIVE = ("hook", "unused", "frozen", "averaged", "clipped", "shared")
WITH_SGD = [
    pytest.param(name, marks=[pytest.mark.slow] * (not any(word in name for word in SENSITIVE)))
    for name in ZOO
    if name not in REFUSED
]

# Torch's own, about TorchScript, old normalizations, and attention that vmap computes in a loop.
pytestmark = pytest.mark.filterwarnings("ignore")


def runs_of(name: str, optimizer: Choice = ADAMW, seeds: tuple[int, ...] = (0, 1)) -> list[Run]:
    """Runs of two data sizes: the shorter is padded in a stack."""
    recipe = Recipe(
        optimizer, learning_rate=RATE, weight_decay=DECAY, warmup_steps=0, steps=STEPS,
        evaluate_every=10,
    )  # fmt: skip
    task, architecture = Choice("modular_addition", {"modulus": 5}), Choice("zoo", {"module": name})
    return [Run(task, architecture, ModelSize(8), 15 - seed, seed, recipe) for seed in seeds]


def plainly(run: Run) -> tuple[Tensor, dict[int, float]]:
    """The outputs and the norm curve of a loop in plain torch, without evaluations on the way."""
    made, streams = Setup.of(run, PLUGINS), Streams(run.seed)
    torch.manual_seed(streams.key("weights"))
    model = made.architecture.build(run.size, made.task)
    examples = made.task.examples(run.data_size, streams)
    inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
    wanted = [one for one in model.parameters() if one.requires_grad]
    optimizer = (
        torch.optim.AdamW(wanted, RATE, (0.9, 0.98), 1e-4, DECAY)
        if run.recipe.optimizer is ADAMW
        else torch.optim.SGD(wanted, RATE, 0.9, weight_decay=DECAY)
    )
    norms = {0: norm_of(wanted)}
    torch.manual_seed(streams.key("noise"))
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        functional.cross_entropy(model.train()(inputs), labels).backward()
        optimizer.step()
        norms[step] = norm_of(wanted)
    with torch.no_grad():
        return model.eval()(examples.inputs), norms


def norm_of(parameters: list[nn.Parameter]) -> float:
    return float(torch.cat([one.detach().flatten() for one in parameters]).double().norm())


def compare(name: str, optimizer: Choice) -> None:
    runs = runs_of(name, optimizer)
    with torch.random.fork_rng():
        training = CohortTraining(runs, PLUGINS, torch.device("cpu"))
        reason = training.program.why_one_by_one
        assert ONE_BY_ONE.get(name, "") in reason
        assert not (reason and name in STACKED)
        assert reason or name not in ONE_BY_ONE
        assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
        outputs = training.program.outputs(training.by_name)
        records = training.meter.records(runs, training.layout.count)
        for run, found, record in zip(runs, outputs, records, strict=True):
            expected, norms = plainly(run)
            assert Status.DONE is record.status
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
            for step, norm in zip(record.steps, record.curves["parameter_norm"], strict=True):
                assert abs(norm - norms[int(step)]) <= 1e-5 * max(1.0, norm)


@pytest.mark.parametrize("name", TRAINED)
def test_thirty_steps_of_adamw_are_those_of_plain_torch(name: str) -> None:
    compare(name, ADAMW)


@pytest.mark.parametrize("name", WITH_SGD)
def test_thirty_steps_of_sgd_are_those_of_plain_torch(name: str) -> None:
    compare(name, SGD)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_by_a_plan_and_fails_with_the_same_reason(
    name: str,
) -> None:
    runs = runs_of(name)
    found = probed(runs, PLUGINS)
    assert REFUSED[name] in found.error
    assert found.error.startswith("PluginError: ")
    [record] = train(runs[:1], PLUGINS)
    assert Status.FAILED is record.status
    assert record.message.startswith("PluginError: ")


@pytest.mark.parametrize(
    "name",
    [
        "old_weight_norm",
        "unused_layer_norm",
        "frozen_bool_mask_and_integers",
        "counter_in_an_attribute",
    ],
)
def test_a_measure_sees_the_module_that_is_trained_and_changes_nothing(name: str) -> None:
    runs = runs_of(name)
    measured = [replace(one, measures=(Choice("faithful"),)) for one in runs]
    for plain, record in zip(train(runs, PLUGINS), train(measured, PLUGINS), strict=True):
        assert record.measured["faithful_apart"].max() <= 1e-5
        for metric, curve in plain.curves.items():
            assert curve.tobytes() == record.curves[metric].tobytes()


def test_a_plan_shows_the_reason(tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        f"""
        plugins = ["{(Path(__file__).parent / "zoo_plugin.py").as_posix()}"]
        [experiments.zoo]
        task = {{ name = "modular_addition", modulus = 5 }}
        architecture = {{ name = "zoo", module = "lazy_linear" }}
        recipe = {{ optimizer = "adamw", steps = 5 }}
        model_sizes = [8]
        data_sizes = [10]
        seeds = 1
        """,
        encoding="utf-8",
    )
    [note] = plan_suite(suite, tmp_path / "results", measure=False).notes
    assert "cannot be trained, and runs will fail; PluginError: zoo: body.weight has no" in note
    assert "write the layer with its sizes" in note


@pytest.mark.parametrize("size", ["8", "2x8"])
@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"initialization": "torch"}])
@pytest.mark.parametrize("architecture", ["dense", "split_ffn"])
def test_a_gradient_reaches_every_parameter_of_the_built_in_architectures(
    architecture: str, options: dict[str, object], size: str
) -> None:
    """Their own programs therefore need not tell which parameters torch would skip."""
    made = PLUGINS.architectures[architecture].from_options(options)
    task = PLUGINS.tasks["mixture"].from_options({"modulus": 5, "memorization_size": 10})
    examples = task.examples(10, Streams(0))
    model = made.build(ModelSize(8, 2 if "x" in size else 1), task)
    given = (examples.inputs, examples.part)[: 2 if made.takes_part else 1]
    model(*given).sum().backward()
    assert [] == [name for name, one in model.named_parameters() if one.grad is None]


def test_an_unused_layer_norm_keeps_its_norm_while_the_rest_decays() -> None:
    """Its eight ones have the norm √8, whatever the decay; with the decay they would end at zero."""
    [run] = runs_of("unused_layer_norm", seeds=(0,))
    training = CohortTraining([run], PLUGINS, torch.device("cpu"))
    training.weight_decay.fill_(50.0)
    assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
    assert torch.equal(torch.ones(1, 8), training.by_name["body.norm.weight"])
    assert "body.norm.weight" not in training.layout.shapes
