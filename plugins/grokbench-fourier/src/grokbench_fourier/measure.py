"""The progress of the generalizing circuit, measured on weights and logits."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from grokbench import Architecture, Measure, ModelSize, Options, Snapshot, Task
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from grokbench_fourier.spectrum import (
    embedding_power,
    gini,
    only_sums,
    sums_share,
    sums_spectrum,
)


class FourierOptions(Options):
    embedding: str = "tokens.weight"
    """The name of the parameter whose first rows embed the numbers."""
    key_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """A key frequency has at least this share of the logits' variance."""


class Fourier(Measure):
    """Key frequencies, sparsity, restricted and excluded loss of a + b modulo p.

    After Nanda et al. 2023 (arXiv:2301.05217): a model with a generalizing circuit for modular
    addition adds a few waves cos(2πk(a + b − c)/p). A model that has only memorized does not. A
    frequency k is a *key frequency* if waves of a + b with this frequency have at least the share
    `key_share` of the variance of the logits over all p² pairs. The key frequencies are determined
    at every evaluation; in the paper they are those of the trained model.

    *Restricted loss*: the loss over all pairs if the logits consist of the key frequencies' waves
    only. It falls while the circuit forms. *Excluded loss*: the loss over the training pairs if
    these waves are removed. It rises while the model loses what it memorized. Both are cross
    entropies in nats.
    """

    name = "fourier"
    Options = FourierOptions
    quantities: ClassVar[Mapping[str, str]] = {
        "key_frequencies": "number of frequencies that hold `key_share` of the logits' variance each",
        "sums_share": "share of the logits' variance that goes with waves of a + b",
        "embedding_sparsity": "Gini coefficient of the embedding's power over frequencies",
        "logit_sparsity": "Gini coefficient of the logits' power over frequencies of a + b",
        "restricted_loss": "mean loss over all pairs with the key frequencies alone",
        "excluded_loss": "mean loss over the training pairs without the key frequencies",
    }
    tested_with = ({"key_share": 0.01},)

    def refuses(self, task: Task, architecture: Architecture, size: ModelSize) -> str | None:
        if task.name != "modular_addition":
            return "it looks for waves of a + b; measure it in modular_addition"
        with torch.random.fork_rng(devices=[]):
            named = dict(architecture.build(size, task).named_parameters())
        modulus = task.options.modulus
        embedding = named.get(self.options.embedding)
        if embedding is None or embedding.ndim != 2 or len(embedding) < modulus:
            matrices = [
                name for name, one in named.items() if one.ndim == 2 and len(one) >= modulus
            ]
            return (
                f"{self.options.embedding!r} is no embedding of {modulus} numbers; "
                f"write embedding = one of {matrices}"
            )
        return None

    def measure(self, snapshot: Snapshot) -> Mapping[str, Tensor]:
        modulus = snapshot.outputs.shape[1]
        # The inputs are `a b =`, or `a + b =` with an operator token.
        a, b = snapshot.examples.inputs[:, 0], snapshot.examples.inputs[:, -2]
        labels, train = snapshot.examples.labels, snapshot.examples.train
        logits = snapshot.outputs.new_zeros(modulus, modulus, modulus)
        logits[a, b] = snapshot.outputs
        spectrum = sums_spectrum(logits)
        shares = sums_share(spectrum)
        keys = shares >= self.options.key_share
        restricted = only_sums(spectrum, keys)
        # Only the waves are removed. The mean over all pairs, an offset for each class, stays.
        waves = restricted - restricted.mean((0, 1), keepdim=True)
        excluded = logits - waves
        embedding = snapshot.weights[self.options.embedding][:modulus]
        return {
            "key_frequencies": keys.sum(),
            "sums_share": shares.sum(),
            "embedding_sparsity": gini(embedding_power(embedding)),
            "logit_sparsity": gini(shares),
            "restricted_loss": cross_entropy(restricted[a, b], labels),
            "excluded_loss": cross_entropy(excluded[a, b][train], labels[train]),
        }
