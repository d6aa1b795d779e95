"""The number of different labels of training pairs, where (a, b) and (b, a) share a label.

A model that memorizes has one label to remember for both. Capacity is measured on all pairs, with
random labels that are the same for mirrors (Huang et al. 2024, § 2.3), but models train on a part
of the pairs, which has fewer mirrors. The two are therefore compared in labels, not in pairs.
"""

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
    """Training pairs of numbers below a modulus P, drawn at random from all P² ordered pairs.

    Under the split `unordered`, a pair and its mirror are drawn together. Under any other split
    each pair is drawn by itself.
    """

    modulus: int | None
    """P; None for a task without mirrors, where each example has its own label."""
    split: str = "ordered"

    def labels(self, examples: Floats) -> Floats:
        """The expected number of different labels of D examples.

        Of D ordered pairs, D/P lie on the diagonal. A pair of mirrors has its label among the
        examples unless both are among the N - D pairs that were not drawn, N = P². There are
        P(P - 1)/2 pairs of mirrors, hence

            D/P + P(P - 1)/2 · (1 - (N - D)(N - D - 1) / (N(N - 1)))
            = D (2P² + 2P + 1 - D) / (2P(P + 1)).

        All N pairs have P(P + 1)/2 labels.
        """
        examples = np.asarray(examples, float)
        if self.modulus is None:
            return examples
        p = self.modulus
        drawn = np.clip(examples, 0, p**2)
        if self.split == "unordered":
            # All N pairs have P(P + 1)/2 labels, and mirrors come together: (P + 1)/2P for a pair.
            return np.asarray(drawn * (p + 1) / (2 * p))
        return np.asarray(drawn * (2 * p**2 + 2 * p + 1 - drawn) / (2 * p * (p + 1)))

    def examples(self, labels: Floats) -> Floats:
        """The number of examples with this number of different labels: the inverse of `labels`.

        A multiple of all labels is taken as the same multiple of all examples. A capacity curve
        that is extrapolated needs a number beyond the last pair.
        """
        labels = np.asarray(labels, float)
        if self.modulus is None:
            return labels
        p = self.modulus
        shares = labels * 2 / (p * (p + 1))
        if self.split == "unordered":
            return np.asarray(shares * p**2)
        # The smaller root of D² - (2P² + 2P + 1) D + 2P(P + 1) · labels = 0.
        twice = 2 * p**2 + 2 * p + 1
        root = np.sqrt(twice**2 - 4 * (p * (p + 1)) ** 2 * np.clip(shares, 0, 1))
        return np.asarray(np.where(shares > 1, shares * p**2, (twice - root) / 2))


def pairs_of(memorization: xr.Dataset, target: xr.Dataset) -> tuple[Pairs, Pairs]:
    """The pairs that two experiments train on: one on random labels, and a target.

    The modulus is the task's option. If neither task has that option, the modulus is the root of
    the number of random labels, if it is a whole number; otherwise no example has a mirror. The
    target has no mirrors either if pairs were drawn one by one and few of them have a mirror, as in a
    division.
    """
    options = [_task_options(dataset) for dataset in (memorization, target)]
    given = [one["modulus"] for one in options if isinstance(one.get("modulus"), int)]
    modulus = given[0] if given else _whole_root(int(memorization["train_examples"].max()))
    split = str(options[1].get("split", "ordered"))
    mirrored = split == "unordered" or _most_have_mirrors(target)
    return Pairs(modulus), Pairs(modulus if mirrored else None, split)


def _most_have_mirrors(target: xr.Dataset) -> bool:
    """Whether half of the pairs or more have a mirror, where pairs were drawn one by one.

    A validation example whose mirror exists has the mirror in training about as often as any other
    example. If a ∘ b is not b ∘ a, a few pairs still have mirrors: those with the same answer both
    ways.
    """
    train, validation, free = (
        target[f"{subset}_examples"].to_numpy().clip(min=0).astype(float)
        for subset in ("train", "validation", "mirror_free")
    )
    leaking = (validation - free).sum()
    expected = (validation * train / np.maximum(train + validation, 1)).sum()
    return bool(leaking > 0 and leaking >= expected / 2)


def _whole_root(square: int) -> int | None:
    root = math.isqrt(square)
    return root if root > 1 and root**2 == square else None


def _task_options(dataset: xr.Dataset) -> dict[str, Any]:
    task = json.loads(dataset.attrs.get("task", "{}"))
    options = task.get("options", {}) if isinstance(task, dict) else {}
    return options if isinstance(options, dict) else {}
