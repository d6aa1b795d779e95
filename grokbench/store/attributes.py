"""The meaning of the variables of a dataset, as CF attributes. `schema.py` has their names.

Names and meanings follow the CF conventions (https://cfconventions.org): section 3.5 for flags,
and the standard names `realization`, `status_flag` and `number_of_observations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grokbench.record import Status

CONVENTIONS = "CF-1.12"


def _loss(over: str) -> dict[str, Any]:
    return {
        "long_name": f"mean loss over the {over} examples",
        "units": "1",
        "valid_min": np.float32(0),
        "ancillary_variables": f"status {over}_examples",
    }


def _accuracy(over: str, words: str) -> dict[str, Any]:
    return {
        "long_name": f"fraction of the {words} that are answered correctly",
        "units": "1",
        "valid_range": np.array([0, 1], np.float32),
        "ancillary_variables": f"status {over}_examples",
    }


def _count(words: str) -> dict[str, Any]:
    return {
        "long_name": f"number of {words}",
        "standard_name": "number_of_observations",
        "units": "1",
        "valid_min": np.int32(0),
    }


def quantity(words: str) -> Mapping[str, Any]:
    """The attributes of a variable that a measure records."""
    return {"long_name": words, "units": "1", "ancillary_variables": "status"}


_MIRROR_FREE = "validation examples whose mirror is not in training"

VARIABLE_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "train_loss": _loss("train"),
    "train_accuracy": _accuracy("train", "training examples"),
    "validation_loss": _loss("validation"),
    "validation_accuracy": _accuracy("validation", "validation examples"),
    "mirror_free_accuracy": _accuracy("mirror_free", _MIRROR_FREE),
    "parameter_norm": {
        "long_name": "L2 norm of all parameters",
        "units": "1",
        "valid_min": np.float32(0),
        "ancillary_variables": "status",
    },
    "evaluated": {
        "long_name": "whether the run was evaluated at this step",
        "flag_values": np.array([0, 1], np.int8),
        "flag_meanings": "not_evaluated evaluated",
    },
    "status": {
        "long_name": "what became of the run",
        "standard_name": "status_flag",
        "flag_values": np.array(list(Status), np.int8),
        "flag_meanings": " ".join(status.name.lower() for status in Status),
        "comment": "; ".join(f"{s.name.lower()}: {s.description}" for s in Status),
    },
    "train_examples": _count("training examples"),
    "validation_examples": _count("validation examples"),
    "mirror_free_examples": _count(_MIRROR_FREE),
    "run_id": {"long_name": "hash of all that decides the outcome of the run"},
    "message": {"long_name": "the error that the run raised, if it did"},
}

COORDINATE_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "model_size": {"long_name": "hidden size, or layers and hidden size"},
    "data_size": {"long_name": "training examples asked of the task", "units": "1"},
    "seed": {"long_name": "seed", "standard_name": "realization", "units": "1"},
    "step": {"long_name": "optimizer steps taken", "units": "1", "valid_min": np.int64(0)},
    "part": {"long_name": "part of the task"},
    "hidden_size": {"long_name": "hidden size of the model", "units": "1"},
    "layers": {"long_name": "layers of the model", "units": "1"},
    "parameters": {
        "long_name": "trainable parameters of the model",
        "units": "1",
        "comment": "0: no run of this size was measured",
    },
}
