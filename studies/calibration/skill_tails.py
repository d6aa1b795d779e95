"""How often does each end of a skill's interval miss, far out in the tails?

    python -m studies.calibration.skill_tails

`zone_probabilities` rests on `grokbench.statistics.skill`. Whole experiments are too slow to simulate by the
ten thousand. Here the predictions are fixed, as that interval assumes, and only the runs of the cells are
drawn: from predictions that are sure and now and then far off, the case in which few runs mislead most.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import numpy as np

from grokbench.statistics.intervals import Floats
from grokbench.statistics.skill import skill, tail_probabilities
from studies.documents import table

TAILS = (0.025, 0.0018, 0.0005)
"""Those of one end at confidences of 95 %, 99.64 % and 99.9 %."""

CELLS = (8, 12)
SURE_AND_WRONG = ((0.97, 0.15), (0.97, 0.33), (0.8, 0.2))
"""The probability that the prediction gives to one outcome of each cell, and in what share of the runs
another outcome comes instead that it thinks hardly possible."""


def prediction_of(cells: int, share: float) -> Floats:
    """Shares, [cells, 4]; in each cell, another outcome has most of the probability."""
    shares = np.full((cells, 4), (1 - share) / 3)
    shares[np.arange(cells), np.arange(cells) % 4] = share
    return shares


def worlds() -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """In words, and the shares: predicted, of one baseline, true."""
    for cells in CELLS:
        near = prediction_of(cells, 0.9)
        baselines = {
            "knows nothing": np.full((1, cells, 4), 0.25),
            "hesitates between two outcomes": (0.5 * near + 0.5 * np.roll(near, 1, axis=1))[None],
        }
        for sure, wrong in SURE_AND_WRONG:
            predicted = prediction_of(cells, sure)
            other = np.eye(4)[(np.arange(cells) + 1) % 4]
            for words, baseline in baselines.items():
                name = f"{cells} cells, {sure:.0%} sure, {wrong:.0%} wrong, the baseline {words}"
                yield name, predicted, baseline, (1 - wrong) * predicted + wrong * other


@click.command()
@click.option("--draws", type=int, default=2000, show_default=True, help="For each row.")
def main(draws: int) -> None:
    """Print how often each end misses the true skill, in per cent."""
    generator = np.random.default_rng(11)
    ends = [f"{end} end, {100 * tail:g} %" for end in ("lower", "upper") for tail in TAILS]
    rows = []
    for words, predicted, baseline, true in worlds():
        truth = skill(predicted, baseline, true)
        for seeds in (5, 11):
            found = np.array(
                [
                    [
                        tail_probabilities(predicted, baseline, counts, truth, upper=upper)[0]
                        for upper in (False, True)
                    ]
                    for counts in (
                        generator.multinomial(seeds, true).astype(float) for _ in range(draws)
                    )
                ]
            )
            wrong = [(found[:, end] < tail).mean() for end in (0, 1) for tail in TAILS]
            rows.append([words, str(seeds), f"{truth[0]:.2f}", *(f"{100 * w:.2f}" for w in wrong)])
    click.echo(table(["world", "seeds", "skill", *ends], rows))


if __name__ == "__main__":
    main(prog_name="python -m studies.calibration.skill_tails")
