"""A suite's results on disk: record files while it is being trained, one dataset afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from grokbench.durable import (
    check_writable,
    digest,
    remove_abandoned,
    set_aside,
    write_durably,
)
from grokbench.errors import ResultsError
from grokbench.record import Record
from grokbench.store.dataset import assembled
from grokbench.store.provenance import continued
from grokbench.store.provenance import provenance as provenance_of
from grokbench.store.records import read_records, write_records
from grokbench.store.recovery import merged, records_in
from grokbench.store.results import check_name, open_results, write_results

if TYPE_CHECKING:
    from grokbench.suite.model import Suite

_RECORD_FILE = re.compile(r".+-(?P<digest>[0-9a-f]{16})\.nc")


class Store:
    """The results of one suite: `<folder>/<name>.nc` and `<folder>/records/`.

    Nothing is made on disk before `check_writable` or the first save. For one thread alone: HDF5
    has no locks.

    Attributes:
        path: the dataset.
        damaged: record files that were found damaged and set aside, by their new names. Their
            runs count as missing.

    Raises:
        ResultsError: netCDF cannot open a file of this name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        check_name(folder)
        self.folder = folder
        self.name = name
        self.path = folder / f"{name}.nc"
        self.damaged: list[Path] = []
        self._records = folder / "records"

    def check_writable(self) -> None:
        """Find out whether anything can be stored, before something is trained.

        The folder and `records/` are made where there are none.

        Raises:
            ResultsError: one of them cannot be made, or not be written to.
        """
        for folder in (self.folder, self._records):
            check_writable(folder)

    def records(self) -> dict[str, Record]:
        """Every record there is, by its run: from the dataset, then from the record files.

        Where two tell of one run, the record file wins over the dataset, a later name over an
        earlier one, and none that failed over one that did not.

        Raises:
            ResultsError: the dataset is damaged, or a newer grokbench wrote it.
        """
        old = self._dataset()
        return merged([*(records_in(old).values() if old else ()), *self._saved()])

    def save(self, cohort_id: str, records: Sequence[Record]) -> Path:
        """Keep a cohort's records: all of them, whatever happens next, or none.

        Raises:
            ResultsError: a record whose arrays are not what `Record` promises, or the file could
                not be written.
        """
        remove_abandoned(self._records)
        return write_durably(
            self._records,
            write=lambda path: write_records(path, records),
            name=lambda path: f"{cohort_id}-{digest(path.read_bytes())[:16]}.nc",
        )

    def assemble(self, suite: Suite, provenance: Mapping[str, Any]) -> xr.DataTree:
        """Write the dataset from all records there are, and open it.

        The same records give the same bits, in whatever order they were saved; where nothing is
        new, the file stays as it is. Records that were in the old dataset and are not in the new
        one (the suite no longer has their runs, or they disagree with others) are moved to a
        record file.

        Args:
            suite: whose experiments to lay out; what was not run is there as `not_run`.
            provenance: of this sitting, from `collect_provenance`; earlier sittings are kept.

        Raises:
            ResultsError: the old dataset is damaged, or the new one could not be written.
        """
        remove_abandoned(self.folder)
        old = self._dataset()
        known = records_in(old) if old is not None else {}
        records = merged([*known.values(), *self._saved()])
        if old is not None:
            if provenance["suite"] == provenance_of(old)["suite"]:
                again = assembled(suite, records, provenance_of(old))
                if again.identical(old):
                    return old
            provenance = continued(old, provenance)
        tree = assembled(suite, records, provenance)
        held = records_in(tree)
        former = [
            record
            for run_id, record in known.items()
            if record is records[run_id]
            and (run_id not in held or held[run_id].steps.size < record.steps.size)
        ]
        if former:
            self.save("former", former)
        write_results(tree, self.path)
        return open_results(self.path)

    def _dataset(self) -> xr.DataTree | None:
        return open_results(self.path) if self.path.exists() else None

    def _saved(self) -> Iterator[Record]:
        """The records in undamaged record files, by the names of the files."""
        for path in sorted(self._records.glob("*.nc")):
            match = _RECORD_FILE.fullmatch(path.name)
            if match is None or not path.is_file():
                continue
            records = _whole(path, match["digest"])
            if records is None:
                self._set_aside(path)
            else:
                yield from records

    def _set_aside(self, path: Path) -> None:
        aside = set_aside(path)
        if aside not in self.damaged:
            self.damaged.append(aside)


def _whole(path: Path, expected: str) -> list[Record] | None:
    """The records in a file; None where it is not as grokbench wrote it."""
    content = path.read_bytes()
    if not digest(content).startswith(expected):
        return None
    try:
        return read_records(content, str(path))
    except ResultsError:
        raise
    except Exception:  # noqa: BLE001 (a digest can be right for bytes of whatever kind)
        return None
