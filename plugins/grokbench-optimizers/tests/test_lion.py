"""Lion keeps its contract, and its steps are those of the paper's algorithm."""

import torch
from grokbench.testing import Check, parametrize_with_checks

from grokbench_optimizers.lion import Lion


@parametrize_with_checks([Lion])
def test_the_contract_is_kept(check: Check) -> None:
    check()


def sign(number: float) -> int:
    return (number > 0) - (number < 0)


def test_each_parameter_takes_the_steps_of_algorithm_2_with_its_runs_own_rates() -> None:
    """Chen et al. 2023, algorithm 2, written for one number at a time."""
    generator = torch.Generator().manual_seed(0)
    start, target = torch.randn(2, 3, 7, generator=generator, dtype=torch.float64)
    rates, decays = [1e-3, 1e-2, 3e-2], [0.0, 1.0, 0.1]
    lion = Lion.from_options({"betas": [0.8, 0.95]})
    parameters = start.clone()
    lion.start(parameters)
    rate, decay = (torch.tensor(one, dtype=torch.float64)[:, None] for one in (rates, decays))
    for taken in range(1, 31):
        count = torch.tensor(float(taken), dtype=torch.float64)
        lion.step(parameters, parameters - target, rate, decay.expand(3, 7).contiguous(), count)
    for run in range(3):
        for column in range(7):
            theta, momentum = float(start[run, column]), 0.0
            for _ in range(30):
                gradient = theta - float(target[run, column])
                update = 0.8 * momentum + (1 - 0.8) * gradient
                momentum = 0.95 * momentum + (1 - 0.95) * gradient
                theta -= rates[run] * (sign(update) + decays[run] * theta)
            assert abs(theta - float(parameters[run, column])) < 1e-12
