"""What is built in keeps the contract that third parties' plugins are held to."""

from __future__ import annotations

import pytest

from grokbench.architectures import BUILT_IN as ARCHITECTURES
from grokbench.architectures import CNN, MLP, Dense, SplitFFN
from grokbench.optimizers import BUILT_IN as OPTIMIZERS
from grokbench.optimizers import SGD, AdamW
from grokbench.phenomena import BUILT_IN as DETECTORS
from grokbench.phenomena import DoubleDescent
from grokbench.tasks import BUILT_IN as TASKS
from grokbench.tasks import Mixture, ModularAddition
from grokbench.testing import checks_for, parametrize_with_checks

OTHERWISE = [
    ModularAddition.from_options({"modulus": 13, "split": "unordered"}),
    Mixture.from_options({"modulus": 13, "split": "unordered", "memorization_size": 50}),
    *(
        architecture.from_options({"layer_norm": True, "initialization": "torch", "heads": 2})
        for architecture in (Dense, SplitFFN)
    ),
    MLP.from_options({"activation": "tanh", "bias": False}),
    CNN.from_options({"activation": "gelu", "kernel_size": 5, "pooling": "average"}),
    SGD.from_options({"momentum": 0.9}),
    SGD.from_options({"momentum": 0.9, "nesterov": True}),
    AdamW.from_options({"betas": (0.0, 0.999), "epsilon": 1e-4}),
]
"""With other than the default options."""

NOISE = "is_deaf_to_noise"


@parametrize_with_checks([*TASKS, *ARCHITECTURES, *OPTIMIZERS, *OTHERWISE])
def test_what_trains_keeps_its_contract(check):
    check()


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=check.id.replace(": ", "-"),
            # A sweep over many worlds: one of them shows that they pass.
            marks=[pytest.mark.slow]
            if check.name == NOISE and detector is not DoubleDescent
            else [],
        )
        for detector in DETECTORS
        for check in checks_for(detector)
    ],
)
def test_what_looks_keeps_its_contract(check):
    check()
