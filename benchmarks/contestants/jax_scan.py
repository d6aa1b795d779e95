"""The same model in JAX: `vmap` over runs, and the loop of steps compiled as one `scan`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.setting import BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Start
from grokbench.record import Run

HEADS = 4

Weights = dict[str, jax.Array]
State = tuple[Weights, Weights, Weights, jax.Array]
"""Weights, first and second moments, and the number of steps taken."""


class JaxScan:
    """Initial weights are those of the torch modules, so that all contestants start alike."""

    last_only: ClassVar[bool] = False
    """Whether queries and the feed-forward network are computed for the last position only."""

    def __init__(self, runs: Sequence[Run], device: str = "cpu") -> None:
        start = Start.of(runs)
        self.runs = len(runs)
        named = [dict(model.named_parameters()) for model in start.models]
        weights = {
            name: jnp.array(np.stack([one[name].detach().numpy() for one in named]))
            for name in named[0]
        }
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state: State = (weights, zeros(weights), zeros(weights), jnp.zeros((), jnp.float32))
        self.inputs = jnp.array(start.inputs.numpy().astype(np.int32))
        self.labels = jnp.array(start.labels.numpy().astype(np.int32))

    def advance(self, steps: int) -> None:
        self.state = train(
            self.state, self.inputs, self.labels, steps=steps, last_only=self.last_only
        )
        for leaf in jax.tree.leaves(self.state):
            leaf.block_until_ready()

    def loss(self) -> float:
        first = {name: value[0] for name, value in self.state[0].items()}
        return float(loss(first, self.inputs[0], self.labels[0]))


class JaxLastPosition(JaxScan):
    """Only the last position is read out, so the others need no queries and no feed-forward network."""

    last_only = True


@partial(jax.jit, static_argnames=("steps", "last_only"), donate_argnums=0)
def train(
    state: State, inputs: jax.Array, labels: jax.Array, *, steps: int, last_only: bool
) -> State:
    gradient = jax.vmap(jax.grad(partial(loss, last_only=last_only)))

    def step(state: State, _: None) -> tuple[State, None]:
        weights, first, second, count = state
        gradients = gradient(weights, inputs, labels)
        return adamw(weights, gradients, first, second, count + 1), None

    state, _ = jax.lax.scan(step, state, None, length=steps)
    return state


def loss(
    weights: Weights, inputs: jax.Array, labels: jax.Array, *, last_only: bool = False
) -> jax.Array:
    """The mean cross entropy of one run's examples [examples, 3]."""
    logarithms = jax.nn.log_softmax(logits(weights, inputs, last_only))
    return -jnp.take_along_axis(logarithms, labels[:, None], 1).mean()


def logits(weights: Weights, inputs: jax.Array, last_only: bool) -> jax.Array:
    """The transformer of `grokbench.architectures.transformer`: [examples, classes]."""
    stream = weights["tokens.weight"][inputs] + weights["positions.weight"]
    queried = stream[:, -1:] if last_only else stream
    stream = queried + attend(weights, queried, stream)
    hidden = stream @ weights["layers.0.expand.weight"].T + weights["layers.0.expand.bias"]
    contracted = jax.nn.relu(hidden) @ weights["layers.0.contract.weight"].T
    stream = stream + contracted + weights["layers.0.contract.bias"]
    return stream[:, -1] @ weights["unembed.weight"].T


def attend(weights: Weights, queried: jax.Array, stream: jax.Array) -> jax.Array:
    """Causal attention of `queried`, the last positions of `stream`, to all of `stream`.

    Both are [examples, length, width].
    """
    width = stream.shape[-1]
    query, key, value = (
        (read @ weights[f"layers.0.{name}.weight"].T).reshape(*read.shape[:2], HEADS, -1)
        for name, read in (("query", queried), ("key", stream), ("value", stream))
    )
    scores = jnp.einsum("nqhe,nkhe->nhqk", query, key) / math.sqrt(width // HEADS)
    asked, length = scores.shape[-2:]
    causal = jnp.tril(jnp.ones((asked, length), bool), length - asked)
    attention = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf))
    mixed = jnp.einsum("nhqk,nkhe->nqhe", attention, value).reshape(queried.shape)
    return mixed @ weights["layers.0.output.weight"].T


def adamw(
    weights: Weights, gradients: Weights, first: Weights, second: Weights, count: jax.Array
) -> State:
    """The step number `count` of AdamW, counted from 1 (Loshchilov and Hutter 2019, Algorithm 2)."""
    beta1, beta2 = BETAS
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)

    def moved(weight: jax.Array, m: jax.Array, v: jax.Array) -> Any:
        slope = m / (1 - beta1**count)
        size = jnp.sqrt(v / (1 - beta2**count)) + EPSILON
        return weight - LEARNING_RATE * (slope / size + WEIGHT_DECAY * weight)

    return jax.tree.map(moved, weights, first, second), first, second, count
