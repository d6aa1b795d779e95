"""The file in which a cohort's records are kept until the dataset is assembled.

Records differ in their number of evaluations and in their parts. So the curves of all runs are laid
end to end, and `evaluations` and `parts` say which stretch of `step`, `parameter_norm` and the
metrics belongs to each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from grokbench.errors import ResultsError
from grokbench.record import Record, Status
from grokbench.schema import COUNTS, CURVES, METRICS, SUBSETS
from grokbench.store.declarations import spelled
from grokbench.store.layout import Declarations, parsed

SCHEMA = 1
"""The layout of record files. It is raised when the layout changes."""

MEASURED = "measured "
"""The prefix of a variable that holds a measure's quantity."""


def write_records(
    path: Path, records: Sequence[Record], declarations: Mapping[str, Any] | None = None
) -> None:
    """Write the records to a netCDF-4 file, with the declarations that they were trained under.

    A record without evaluations keeps its run's id, its status and its message alone. A quantity
    that only some of the records measured is NaN in the others.

    Raises:
        ResultsError: a record whose arrays are not of the type and shape that `Record` promises.
    """
    records = [_storable(record) for record in records]
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.schema = SCHEMA
        if declarations is not None:
            file.declarations = spelled(declarations)
        for dimension, columns in _columns(records).items():
            file.createDimension(dimension, len(next(iter(columns.values()))))
            for name, values in columns.items():
                if values.dtype == object:
                    variable = file.createVariable(name, str, (dimension,))
                else:
                    variable = file.createVariable(
                        name, values.dtype, (dimension,), fill_value=False
                    )
                variable[:] = values


def read_records(content: bytes, source: str) -> tuple[list[Record], dict[str, Any] | None]:
    """Read the records from a file's bytes, with the bits that were written.

    Returns:
        The records, and the declarations that they were trained under; None instead of declarations if
        the file has none.

    Args:
        content: the file.
        source: its name, for messages.

    Raises:
        ResultsError: a newer grokbench wrote the file.
        Exception: the file is not as `write_records` writes it.
    """
    with netCDF4.Dataset(source, memory=content) as file:
        if file.schema != SCHEMA:
            raise ResultsError(
                f"{source}: has layout {file.schema}, and this grokbench reads layout {SCHEMA}. "
                f"A newer grokbench wrote the file: upgrade grokbench"
            )
        file.set_auto_maskandscale(False)
        data = {name: variable[:] for name, variable in file.variables.items()}
        text = getattr(file, "declarations", None)
    parts = [tuple(json.loads(text)) for text in data["parts"]]
    lengths = data["evaluations"].tolist()
    evaluations = _slices(lengths)
    values = _slices(n * len(names) for n, names in zip(lengths, parts, strict=True))
    counts = _slices(len(names) if n else 0 for n, names in zip(lengths, parts, strict=True))
    quantities = [name.removeprefix(MEASURED) for name in data if name.startswith(MEASURED)]
    records = []
    for i, names in enumerate(parts):
        curves: dict[str, npt.NDArray[np.float32]] = {}
        examples: dict[str, tuple[int, ...]] = {}
        measured: dict[str, npt.NDArray[np.float32]] = {}
        if lengths[i]:
            measured = {name: data[f"{MEASURED}{name}"][evaluations[i]] for name in quantities}
            curves = {m: data[m][values[i]].reshape(-1, len(names)) for m in METRICS}
            curves["parameter_norm"] = data["parameter_norm"][evaluations[i]]
            examples = {s: tuple(data[f"{s}_examples"][counts[i]].tolist()) for s in SUBSETS}
        records.append(
            Record(
                run_id=data["run_id"][i],
                status=Status(data["status"][i]),
                parts=names,
                steps=data["step"][evaluations[i]],
                curves=curves,
                examples=examples,
                parameters=int(data["parameters"][i]),
                message=data["message"][i],
                measured=measured,
            )
        )
    try:
        records = [_storable(record) for record in records]
        declared = None if text is None else parsed(text, Declarations, source)
    except ResultsError as error:
        raise ValueError(f"{source}: {error}") from error
    return records, None if declared is None else dict(declared)


def _storable(record: Record) -> Record:
    """Check a record, and make its message storable.

    netCDF text can hold neither NUL nor lone surrogates: they become escapes in the message.

    Raises:
        ResultsError: an array is not of the type and shape that `Record` promises.
    """
    message = record.message.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
    if not record.steps.size:
        return Record(record.run_id, record.status, ("all",), record.steps, {}, {}, 0, message)
    evaluations, parts = record.steps.size, len(record.parts)
    _require(record, "steps", record.steps, np.dtype(np.int64), (evaluations,))
    if np.any(np.diff(record.steps) <= 0):
        raise ResultsError(f"run {record.run_id}: steps must increase, not {record.steps.tolist()}")
    for name in CURVES:
        shape = (evaluations, parts) if name in METRICS else (evaluations,)
        _require(record, name, record.curves.get(name), np.dtype(np.float32), shape)
    for name, values in record.measured.items():
        _require(record, name, values, np.dtype(np.float32), (evaluations,))
    for subset in SUBSETS:
        counts = record.examples.get(subset, ())
        if len(counts) != parts:
            place = f"run {record.run_id}: {subset} examples"
            raise ResultsError(f"{place} must be one count for each of {record.parts}: {counts}")
    return replace(record, message=message)


def _require(
    record: Record, name: str, found: Any, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    if isinstance(found, np.ndarray) and found.dtype == dtype and found.shape == shape:
        return
    seen = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else repr(found)
    raise ResultsError(f"run {record.run_id}: {name} must be {dtype} {shape}, not {seen}")


def _columns(records: Sequence[Record]) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """The variables of the file, by dimension and name."""
    evaluated = [record for record in records if record.steps.size]
    quantities = dict.fromkeys(name for record in evaluated for name in record.measured)
    return {
        "run": {
            "run_id": _text(record.run_id for record in records),
            "status": np.array([record.status for record in records], np.int8),
            "message": _text(record.message for record in records),
            "parameters": np.array([record.parameters for record in records], np.int64),
            "parts": _text(json.dumps(record.parts) for record in records),
            "evaluations": np.array([record.steps.size for record in records], np.int64),
        },
        "evaluation": {
            "step": _joined((record.steps for record in evaluated), np.int64),
            "parameter_norm": _joined((r.curves["parameter_norm"] for r in evaluated), np.float32),
            **{
                f"{MEASURED}{name}": _joined((_measured(r, name) for r in evaluated), np.float32)
                for name in quantities
            },
        },
        "value": {
            metric: _joined((record.curves[metric] for record in evaluated), np.float32)
            for metric in METRICS
        },
        "count": {
            name: np.array(
                [count for record in evaluated for count in record.examples[subset]], np.int64
            )
            for name, subset in zip(COUNTS, SUBSETS, strict=True)
        },
    }


def _measured(record: Record, name: str) -> npt.NDArray[Any]:
    return record.measured.get(name, np.full(record.steps.size, np.nan, np.float32))


def _text(values: Iterable[str]) -> npt.NDArray[np.object_]:
    return np.array(list(values), dtype=object)


def _joined(arrays: Iterable[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *(array.ravel() for array in arrays)])


def _slices(lengths: Iterable[int]) -> list[slice]:
    """The stretch of each run in an array in which all runs lie end to end."""
    ends = np.cumsum([0, *lengths]).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
