"""Turns a dataset back into the records that it was assembled from."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import xarray as xr

from grokbench.record import Record, Status
from grokbench.schema import CURVES, SUBSETS, VARIABLES


def records_in(tree: xr.DataTree) -> dict[str, Record]:
    """Every record in the dataset by its run's id, with the bits that were saved.

    A run whose record disagreed with its experiment has its status and message alone.
    """
    groups = tree.children.values()
    return merged(record for group in groups for record in _records(group.to_dataset()))


def merged(records: Iterable[Record]) -> dict[str, Record]:
    """One record for each run: the last one, but a failed record replaces failed records only."""
    found: dict[str, Record] = {}
    for record in records:
        if record.run_id not in found or record.status is not Status.FAILED:
            found[record.run_id] = record
    return found


def _records(dataset: xr.Dataset) -> list[Record]:
    parts = tuple(json.loads(dataset.attrs["parts"]))
    values = {str(name): variable.values for name, variable in dataset.variables.items()}
    if len(parts) == 1:
        for name, variable in VARIABLES.items():
            if "part" in variable.axes:
                values[name] = values[name][..., np.newaxis]
    quantities = json.loads(dataset.attrs.get("quantities", "[]"))
    size_axis = dataset["status"].get_axis_num("model_size")
    records = []
    for index in zip(*np.nonzero(values["status"] != Status.NOT_RUN), strict=True):
        run_id, message = str(values["run_id"][index]), str(values["message"][index])
        status = Status(values["status"][index])
        at = np.flatnonzero(values["evaluated"][index])
        if at.size:
            record = Record(
                run_id=run_id,
                status=status,
                parts=parts,
                steps=values["step"][at],
                curves={name: values[name][index][at] for name in CURVES},
                examples={
                    subset: tuple(values[f"{subset}_examples"][index].tolist())
                    for subset in SUBSETS
                },
                parameters=int(values["parameters"][index[size_axis]]),
                message=message,
                measured={name: values[name][index][at] for name in quantities},
            )
        else:
            record = Record(run_id, status, ("all",), np.zeros(0, np.int64), {}, {}, 0, message)
        records.append(record)
    return records
