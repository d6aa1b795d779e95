"""An innocent detector: its finding has everything that another detector could have spoilt."""

import locale
import os
import resource
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from grokbench import Detector, Finding, hookimpl


class Innocent(Detector):
    """The mean validation accuracy at the last step."""

    name = "innocent"

    def find(self, data):
        dataset = data["experiment"]
        cells = dataset.validation_accuracy.isel(step=-1)
        value = float(cells.mean())
        process = {
            "dtype": str(torch.get_default_dtype()),
            "gradients": torch.is_grad_enabled(),
            "errors": np.geterr(),
            "printed": str(np.array([1 / 3])),
            "folder": str(Path.cwd()),
            "locale": locale.setlocale(locale.LC_ALL),
            "environment": sorted(os.environ),
            "paths": len(sys.path),
            "warnings": ("ignore", None, Warning, None, 0) in warnings.filters,
            "stream": sys.stdout.closed,
            "size of files": resource.getrlimit(resource.RLIMIT_FSIZE)[0],
            "limit": sys.getrecursionlimit(),
            "random": float(torch.rand(())),
        }
        given = {
            "attributes": str(dataset.attrs),
            "of the curve": str(dataset.validation_accuracy.attrs),
            "seeds": dataset.seed.to_numpy().tolist(),
            "sizes": dataset.indexes["model_size"].tolist(),
            "loss": float(dataset.train_loss.sum()),
        }
        seeds = dataset.sizes["seed"]
        return Finding(value, value, value, "accuracy", seeds, "seen", {**process, **given})


@hookimpl
def register_detectors(register):
    register(Innocent)
