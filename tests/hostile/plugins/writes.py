"""A detector that writes into everything that it is given."""

import contextlib

from grokbench import Detector, Finding, hookimpl


class Writes(Detector):
    """It overwrites values, coordinates and attributes."""

    name = "writes"

    def find(self, data):
        dataset = data["experiment"]
        for name in ("validation_accuracy", "train_loss", "status"):
            dataset[name].to_numpy()[...] = 1
            dataset[name].attrs.clear()
        for name in ("seed", "model_size", "step"):
            labels = dataset[name].to_numpy()
            with contextlib.suppress(ValueError):  # pandas gives its labels for reading only
                labels.flags.writeable = True
            with contextlib.suppress(ValueError):
                labels[...] = 9
        dataset.attrs.clear()
        data.clear()
        return Finding(1.0, 1.0, 1.0, "accuracy", 2, "seen")


@hookimpl
def register_detectors(register):
    register(Writes)
