"""Muon keeps its contract, and its steps are those of `torch.optim.Muon` and `torch.optim.AdamW`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from grokbench import ModelSize, Streams, load_suite, plan_suite, run_suite
from grokbench.architectures import Dense
from grokbench.tasks import ModularAddition
from grokbench.testing import Check, parametrize_with_checks
from torch import Tensor, nn

from grokbench_optimizers.muon import Muon
from grokbench_optimizers.orthogonal import orthogonalized

SHAPES = {
    "tokens.weight": (7, 4),
    "layers.0.query.weight": (4, 4),
    "layers.0.key.weight": (4, 4),
    "layers.0.expand.weight": (9, 4),
    "layers.0.expand.bias": (9,),
    "layers.0.contract.weight": (4, 9),
    "gain": (),
}
COLUMNS = 7 * 4 + 2 * 16 + 36 + 9 + 36 + 1
RATES, DECAYS = [1e-3, 1e-2, 3e-2], [0.0, 1.0, 0.1]


@parametrize_with_checks([Muon])
def test_the_contract_is_kept(check: Check) -> None:
    check()


@pytest.fixture
def unrounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.optim.Muon` without its rounding to bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())


def is_hidden(name: str, value: Tensor) -> bool:
    return name.startswith("layers.") and value.ndim == 2


def references(
    model: dict[str, nn.Parameter], rate: float, decay: float, options: dict[str, Any]
) -> list[torch.optim.Optimizer]:
    """torch's optimizers: Muon for the hidden matrices, AdamW for the rest."""
    factor = options.get("adamw_factor", 1.0)
    return [
        torch.optim.Muon(
            [value for name, value in model.items() if is_hidden(name, value)],
            lr=rate,
            weight_decay=decay,
            momentum=options.get("momentum", 0.95),
            nesterov=options.get("nesterov", True),
            ns_steps=options.get("iterations", 5),
            adjust_lr_fn=options.get("scale", "match_rms_adamw"),
        ),
        torch.optim.AdamW(
            [value for name, value in model.items() if not is_hidden(name, value)],
            lr=factor * rate,
            betas=(0.9, 0.98),
            weight_decay=decay,
        ),
    ]


def ours(start: Tensor, target: Tensor, steps: int, options: dict[str, Any]) -> Tensor:
    """Where Muon takes a stack of quadratic bowls: [runs, parameters]."""
    optimizer, parameters = Muon.from_options(options), start.clone()
    optimizer.shapes = SHAPES
    optimizer.start(parameters)
    rate, decay = (torch.tensor(one, dtype=start.dtype)[:, None] for one in (RATES, DECAYS))
    for taken in range(1, steps + 1):
        count = torch.tensor(float(taken), dtype=torch.float64)
        optimizer.step(
            parameters, parameters - target, rate, decay.expand_as(start).contiguous(), count
        )
    return parameters


def theirs(start: Tensor, target: Tensor, steps: int, options: dict[str, Any]) -> Tensor:
    """Where torch's optimizers take each bowl alone: [runs, parameters]."""
    optimizer = Muon()
    optimizer.shapes = SHAPES
    ends = []
    for run, (rate, decay) in enumerate(zip(RATES, DECAYS, strict=True)):
        cut = optimizer.views(start[run : run + 1])
        model = {name: nn.Parameter(value[0].clone()) for name, value in cut.items()}
        goal = {name: value[0] for name, value in optimizer.views(target[run : run + 1]).items()}
        peers = references(model, rate, decay, options)
        for _ in range(steps):
            for name, value in model.items():
                value.grad = (value - goal[name]).detach()
            for peer in peers:
                peer.step()
        ends.append(torch.cat([value.detach().flatten() for value in model.values()]))
    return torch.stack(ends)


def bowls(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    start, target = torch.randn(2, 3, COLUMNS, generator=generator, dtype=dtype)
    return start, target


CASES: list[dict[str, Any]] = [
    {},
    {"scale": "original", "adamw_factor": 0.1},
    {"nesterov": False, "momentum": 0.8, "iterations": 3},
]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_each_run_ends_where_torchs_optimizers_take_it(
    options: dict[str, Any], dtype: torch.dtype, within: float, unrounded: None
) -> None:
    start, target = bowls(dtype)
    found, expected = ours(start, target, 30, options), theirs(start, target, 30, options)
    torch.testing.assert_close(found, expected, rtol=0, atol=within)
    assert float((expected - start).abs().max()) > 0.1


def test_with_torchs_rounding_to_bfloat16_the_ends_are_near() -> None:
    start, target = bowls(torch.float32)
    found, expected = ours(start, target, 30, {}), theirs(start, target, 30, {})
    moved = (expected - start).norm(dim=1)
    assert bool(((found - expected).norm(dim=1) < 0.02 * moved).all())


def test_singular_vectors_stay_and_singular_values_come_near_one() -> None:
    generator = torch.Generator().manual_seed(1)
    matrices = torch.randn(6, 5, 9, generator=generator, dtype=torch.float64)
    u, values, v = torch.linalg.svd(orthogonalized(matrices, 5), full_matrices=False)
    assert 0.6 < float(values.min())
    assert float(values.max()) < 1.3
    first, _, last = torch.linalg.svd(matrices, full_matrices=False)
    torch.testing.assert_close((u @ v), (first @ last), rtol=0, atol=1e-9)


def test_names_that_fit_no_matrix_are_an_error_that_lists_the_matrices() -> None:
    optimizer = Muon.from_options({"matrices": ["layers.*", "blocks.*"]})
    optimizer.shapes = SHAPES
    message = r"no parameter of two dimensions is named like 'blocks\.\*'; write some of \['tokens"
    with pytest.raises(ValueError, match=message):
        optimizer.start(torch.zeros(1, COLUMNS))


def test_a_plan_says_that_names_fit_no_matrix(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    other = '{ name = "muon", matrices = ["blocks.*"] }'
    file.write_text(SUITE.replace('"muon"', other), encoding="utf-8")
    (note,) = plan_suite(file, tmp_path / "out", measure=False).notes
    assert "no parameter of two dimensions is named like 'blocks.*'" in note


SUITE = """
[experiments.addition]
task = { name = "modular_addition", modulus = 7 }
architecture = "dense"
model_sizes = [8]
data_sizes = [30]
seeds = 3

[experiments.addition.recipe]
optimizer = "muon"
learning_rate = 1e-2
weight_decay = 0.5
steps = 30
evaluate_every = 10
warmup_steps = 5
precision = "float64"
"""


def test_a_suite_trains_as_a_plain_loop_with_torchs_optimizers_does(
    tmp_path: Path, unrounded: None
) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE, encoding="utf-8")
    data = run_suite(file, tmp_path / "out", jobs=1).tree["addition"].to_dataset()
    found = data["parameter_norm"].isel(step=-1).squeeze().to_numpy()
    loss = data["train_loss"].isel(step=-1).squeeze().to_numpy()
    task = ModularAddition.from_options({"modulus": 7})
    for seed in range(3):
        torch.manual_seed(Streams(seed).key("weights"))
        model = Dense().build(ModelSize(8), task).double()
        examples = task.examples(30, Streams(seed))
        inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
        peers = references(dict(model.named_parameters()), 1e-2, 0.5, {})
        for taken in range(1, 31):
            model.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            for peer in peers:
                peer.param_groups[0]["lr"] = 1e-2 * min(1.0, taken / 5)
                peer.step()
        norm = nn.utils.parameters_to_vector(model.parameters()).detach().norm()
        assert abs(float(norm) - float(found[seed])) < 1e-5
        end = nn.functional.cross_entropy(model(inputs), labels)
        assert abs(float(end.detach()) - float(loss[seed])) < 1e-5


def test_the_suite_has_no_mistakes() -> None:
    assert load_suite(Path(__file__).parents[1] / "suite.toml").runs()
