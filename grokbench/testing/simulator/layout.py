"""The one builder of simulated datasets: curves in arrays, laid out as the store does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.record import Run, Status
from grokbench.store.dataset import assembled, empty, laid_out
from grokbench.suite.model import Experiment, Suite

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """What one simulated run leaves behind: values at each evaluation step, and how it ended."""

    train: Floats
    """Accuracy on training examples, [step]."""
    mirror_free: Floats
    """Accuracy on validation examples without a mirror in training; NaN where nothing validates."""
    norm: Floats
    """The L2 norm of all parameters."""
    validation: Floats | None = None
    """Accuracy on all validation examples; the same as `mirror_free` if None."""
    status: Status = Status.DONE
    message: str = ""
    validation_examples: int = 500
    mirror_free_examples: int = 100


@dataclass(frozen=True, eq=False)
class Layout:
    """An experiment whose runs are simulated; its recipe says at which steps they are evaluated."""

    experiment: Experiment
    parts: tuple[str, ...] = ("all",)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        return self.experiment.recipe.evaluation_steps()

    @cached_property
    def runs(self) -> dict[tuple[int, ...], Run]:
        """Index in the grid → run."""
        return dict(self.experiment.grid())

    @cached_property
    def run_ids(self) -> npt.NDArray[np.object_]:
        """[*grid]."""
        return self._along_grid([run.id for run in self.runs.values()]).astype(object)

    def dataset(
        self,
        curves: Mapping[str, npt.ArrayLike],
        *,
        examples: Mapping[str, npt.ArrayLike],
        parameters: Iterable[int],
        status: npt.ArrayLike = Status.DONE,
        message: npt.ArrayLike = "",
    ) -> xr.Dataset:
        """The dataset that the store assembles from runs with these curves.

        A run that was not run, or failed, has no curves and no examples, whatever is given here.

        Args:
            curves: each metric and `parameter_norm` → values, [*grid, step]; or, for a metric that
                differs between the parts of the task, [*grid, step, part].
            examples: `train`, `validation`, `mirror_free` → numbers of examples, [*grid] or
                [*grid, part].
            parameters: of each model, [model_size].
            status: [*grid].
            message: of runs that failed, [*grid].
        """
        values = empty(self.experiment, len(self.steps), len(self.parts))
        values["status"][...] = status
        evaluated = np.isin(values["status"], (Status.DONE, Status.DIVERGED))
        values["evaluated"][evaluated] = 1
        values["run_id"][...] = self.run_ids
        values["message"][...] = np.where(values["status"] == Status.FAILED, message, "")
        for name, curve in curves.items():
            values[name][...] = _in_every_part(curve, values[name])
            values[name][~evaluated] = np.nan
        for name, numbers in examples.items():
            counts = values[f"{name}_examples"]
            counts[...] = _in_every_part(numbers, counts)
            counts[~evaluated] = 0
        sizes = np.fromiter(parameters, np.int64)
        return laid_out(self.experiment, values, self.steps, self.parts, sizes)

    def dataset_of(
        self,
        tell: Callable[[Run], Curves],
        parameters: Callable[[int], int] = lambda hidden_size: 100 * hidden_size,
    ) -> xr.Dataset:
        """The dataset of runs that are simulated one by one, in a task of one part.

        Args:
            tell: what becomes of a run.
            parameters: hidden size → number of parameters in each layer.
        """
        left = [(run, tell(run)) for run in self.runs.values()]
        validation = [c.mirror_free if c.validation is None else c.validation for _, c in left]
        accuracy = {
            "train": self._along_grid([one.train for _, one in left]),
            "validation": self._along_grid(validation),
        }
        validates = ~np.isnan(accuracy["validation"]).all(axis=-1)
        counts = {
            "validation": self._along_grid([one.validation_examples for _, one in left]),
            "mirror_free": self._along_grid([one.mirror_free_examples for _, one in left]),
        }
        return self.dataset(
            {
                **{f"{name}_accuracy": curve for name, curve in accuracy.items()},
                **{f"{name}_loss": loss_of(curve) for name, curve in accuracy.items()},
                "mirror_free_accuracy": self._along_grid([one.mirror_free for _, one in left]),
                "parameter_norm": self._along_grid([one.norm for _, one in left]),
            },
            examples={
                "train": self._along_grid([run.data_size for run, _ in left]),
                **{name: np.where(validates, number, 0) for name, number in counts.items()},
            },
            parameters=(
                size.layers * parameters(size.hidden_size) for size in self.experiment.model_sizes
            ),
            status=self._along_grid([one.status for _, one in left]),
            message=self._along_grid([one.message for _, one in left]),
        )

    def _along_grid(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """One value or curve for each run → [*grid] or [*grid, step]."""
        array = np.array(values)
        return array.reshape(*self.experiment.shape, *array.shape[1:])


def _in_every_part(values: npt.ArrayLike, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values, with an axis of length one for the parts if only that is missing."""
    array = np.asarray(values)
    return array[..., None] if array.ndim == like.ndim - 1 else array


def loss_of(accuracy: Floats) -> Floats:
    """The cross-entropy of a model whose confidence is its accuracy."""
    return np.asarray(-np.log(np.clip(accuracy, 1e-3, 1 - 1e-6)))


def results_of(
    suite: Suite, datasets: Mapping[str, xr.Dataset], provenance: Mapping[str, Any]
) -> xr.DataTree:
    """A suite's results, with a simulated dataset for each experiment."""
    root = assembled(replace(suite, experiments={}), {}, provenance).to_dataset()
    return xr.DataTree.from_dict({"/": root, **datasets})
