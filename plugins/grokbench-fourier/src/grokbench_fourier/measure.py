"""The generalizing circuit's progress, read off the weights and the logits."""

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
    """The parameter whose first rows embed the numbers, by the module's name for it."""
    key_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The share of the logits' variance from which on a frequency is a key frequency."""


class Fourier(Measure):
    """Key frequencies, sparsity, restricted and excluded loss of a + b modulo p.

    After Nanda et al. 2023 (arXiv:2301.05217): a model that has understood modular addition adds a
    few waves cos(2πk(a + b − c)/p), and one that has memorized does not. A frequency k is a *key
    frequency* while waves of a + b of that frequency make up `key_share` of the variance of the
    logits over all p² pairs; which ones they are is asked anew at every evaluation (there, they are
    those of the trained model).

    *Restricted loss*, over all pairs: with logits made of the key frequencies' waves alone. It
    falls as the circuit forms. *Excluded loss*, over the training pairs: with those waves taken
    away. It rises as the model stops relying on what it memorized. Both are cross entropies in nats.
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
        a, b = snapshot.examples.inputs[:, 0], snapshot.examples.inputs[:, 1]
        labels, train = snapshot.examples.labels, snapshot.examples.train
        logits = snapshot.outputs.new_zeros(modulus, modulus, modulus)
        logits[a, b] = snapshot.outputs
        spectrum = sums_spectrum(logits)
        shares = sums_share(spectrum)
        keys = shares >= self.options.key_share
        restricted = only_sums(spectrum, keys)
        # What is taken away are the waves, not the mean: an offset of every class stays.
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
