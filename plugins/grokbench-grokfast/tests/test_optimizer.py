"""The contract is kept, and steps are those of the paper's own loop."""

import torch
from grokbench.optimizers.adamw import AdamW
from grokbench.testing import Check, parametrize_with_checks

from grokbench_grokfast.optimizer import Grokfast


@parametrize_with_checks([Grokfast])
def test_the_contract_is_kept(check: Check) -> None:
    check()


def descended(optimizer: AdamW, steps: int) -> torch.Tensor:
    """Where an optimizer takes two runs on a bowl whose centre swings from side to side."""
    parameters = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], dtype=torch.float64)
    rate = torch.tensor([[0.1], [0.05]], dtype=torch.float64)
    optimizer.start(parameters)
    for taken in range(1, steps + 1):
        count = torch.tensor(float(taken), dtype=torch.float64)
        gradients = parameters + (-1.0) ** taken
        optimizer.step(parameters, gradients, rate, torch.full_like(parameters, 0.01), count)
    return parameters


def test_it_is_the_filter_in_front_of_pytorchs_adamw() -> None:
    """The average begins at the first gradient, and twice of it is added (Lee et al., alg. 2)."""
    model = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    peer = torch.optim.AdamW([model], lr=0.1, betas=(0.9, 0.98), weight_decay=0.01)
    average = None
    for taken in range(1, 21):
        gradient = model.detach() + (-1.0) ** taken
        average = gradient if average is None else 0.98 * average + 0.02 * gradient
        model.grad = gradient + 2.0 * average
        peer.step()
    torch.testing.assert_close(model.detach(), descended(Grokfast(), 20)[0])


def test_without_amplification_it_is_adamw() -> None:
    plain = Grokfast.from_options({"amplification": 0})
    assert torch.equal(descended(AdamW(), 20), descended(plain, 20))
    assert not torch.equal(descended(AdamW(), 20), descended(Grokfast(), 20))
