"""How many labels there are to memorize where (a, b) and (b, a) have the same one."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from grokbench.statistics.intervals import Floats


@dataclass(frozen=True)
class Pairs:
    """Training pairs of numbers below a modulus P, drawn at random from all P² ordered ones.

    `modulus` is None for a task whose examples have no mirrors: each has a label of its own.
    Under the split `unordered` mirrors come together; otherwise each pair is drawn by itself, and
    fewer of the D drawn are mirrors of each other the fewer they are.
    """

    modulus: int | None
    split: str = "ordered"

    def labels(self, examples: Floats) -> Floats:
        """How many different labels so many examples have, on average.

        Of D ordered pairs D/P lie on the diagonal, and each of the P(P - 1)/2 mirrored pairs is
        met unless both of its members are among the P² - D that were not drawn. With N = P²

            D/P + P(P - 1)/2 · (1 - (N - D)(N - D - 1) / (N(N - 1)))
            = D (2P² + 2P + 1 - D) / (2P(P + 1)),

        which is P(P + 1)/2 for all of them.
        """
        examples = np.asarray(examples, float)
        if self.modulus is None:
            return examples
        p = self.modulus
        drawn = np.clip(examples, 0, p**2)
        if self.split == "unordered":
            return np.asarray(drawn * (p + 1) / (2 * p))
        return np.asarray(drawn * (2 * p**2 + 2 * p + 1 - drawn) / (2 * p * (p + 1)))

    def examples(self, labels: Floats) -> Floats:
        """How many examples have so many different labels: the inverse of `labels`.

        More labels than there are count as so many times all examples.
        """
        labels = np.asarray(labels, float)
        if self.modulus is None:
            return labels
        p = self.modulus
        shares = labels * 2 / (p * (p + 1))
        if self.split == "unordered":
            return np.asarray(shares * p**2)
        twice = 2 * p**2 + 2 * p + 1
        root = np.sqrt(twice**2 - 4 * (p * (p + 1)) ** 2 * np.clip(shares, 0, 1))
        return np.asarray(np.where(shares > 1, shares * p**2, (twice - root) / 2))


def pairs_of(memorization: xr.Dataset, target: xr.Dataset) -> tuple[Pairs, Pairs]:
    """The pairs that two experiments train on; the labels in memory are always symmetric.

    The modulus is what the tasks were given; where neither says, the root of the number of
    examples in memory, if that is whole; otherwise nothing is taken to have a mirror. Nor has the
    target where its validation examples show none, although pairs were drawn one by one.
    """
    options = [_task_options(dataset) for dataset in (memorization, target)]
    given = [one["modulus"] for one in options if isinstance(one.get("modulus"), int)]
    modulus = given[0] if given else _whole_root(int(memorization["train_examples"].max()))
    split = str(options[1].get("split", "ordered"))
    mirrored = split == "unordered" or bool(
        (target["mirror_free_examples"] < target["validation_examples"]).any()
    )
    return Pairs(modulus), Pairs(modulus if mirrored else None, split)


def _whole_root(square: int) -> int | None:
    root = math.isqrt(square)
    return root if root > 1 and root**2 == square else None


def _task_options(dataset: xr.Dataset) -> dict[str, Any]:
    task = json.loads(dataset.attrs.get("task", "{}"))
    options = task.get("options", {}) if isinstance(task, dict) else {}
    return options if isinstance(options, dict) else {}
