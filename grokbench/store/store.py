"""A suite's results on disk: record files while it is being trained, one dataset afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from grokbench.record import Record, Status
from grokbench.store.dataset import assembled
from grokbench.store.durable import digest, remove_abandoned, set_aside, write_durably
from grokbench.store.provenance import continued
from grokbench.store.provenance import provenance as provenance_of
from grokbench.store.records import read_records, write_records
from grokbench.store.recovery import records_in
from grokbench.store.results import open_results, write_results

if TYPE_CHECKING:
    from grokbench.suite.model import Suite

_RECORD_FILE = re.compile(r".+-(?P<digest>[0-9a-f]{16})\.nc")


class Store:
    """The results of one suite: `<folder>/<name>.nc` and `<folder>/records/`.

    Nothing is made on disk before the first save. For one thread alone: HDF5 has no locks.

    Attributes:
        path: the dataset.
        damaged: record files that were found damaged and set aside, by their new names. Their
            runs count as missing.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.path = folder / f"{name}.nc"
        self.damaged: list[Path] = []
        self._records = folder / "records"

    def records(self) -> dict[str, Record]:
        """Every record there is, by its run: from the dataset, then from the record files.

        Where two tell of one run, the record file wins over the dataset, a later name over an
        earlier one, and none that failed over one that did not.

        Raises:
            ResultsError: the dataset is damaged, or a newer grokbench wrote it.
        """
        old = self._dataset()
        return _merged([*(records_in(old).values() if old else ()), *self._saved()])

    def save(self, cohort_id: str, records: Sequence[Record]) -> Path:
        """Keep a cohort's records: all of them, whatever happens next, or none.

        Raises:
            ResultsError: a record whose arrays are not what `Record` promises.
        """
        self._records.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self._records)
        return write_durably(
            self._records,
            write=lambda path: write_records(path, records),
            name=lambda path: f"{cohort_id}-{digest(path.read_bytes())[:16]}.nc",
        )

    def assemble(self, suite: Suite, provenance: Mapping[str, Any]) -> xr.DataTree:
        """Write the dataset from all records there are, and open it.

        The same records give the same bits, in whatever order they were saved; where nothing is
        new, the file stays as it is. Records of runs that the suite no longer has are moved from
        the old dataset to a record file.

        Args:
            suite: whose experiments to lay out; what was not run is there as `not_run`.
            provenance: of this sitting, from `collect_provenance`; earlier sittings are kept.

        Raises:
            ResultsError: the old dataset is damaged, or records contradict each other.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self.folder)
        old = self._dataset()
        known = records_in(old) if old is not None else {}
        saved = list(self._saved())
        records = _merged([*known.values(), *saved])
        if old is not None:
            if provenance["suite"] == provenance_of(old)["suite"]:
                again = assembled(suite, records, provenance_of(old))
                if again.identical(old):
                    return old
            asked = suite.runs()
            former = [r for r in known.values() if r.run_id not in asked and r is records[r.run_id]]
            if former:
                self.save("former", former)
            provenance = continued(old, provenance)
        write_results(assembled(suite, records, provenance), self.path)
        return open_results(self.path)

    def _dataset(self) -> xr.DataTree | None:
        return open_results(self.path) if self.path.exists() else None

    def _saved(self) -> Iterator[Record]:
        """The records in undamaged record files, by the names of the files."""
        for path in sorted(self._records.glob("*.nc")):
            match = _RECORD_FILE.fullmatch(path.name)
            if match is None:
                continue
            content = path.read_bytes()
            if digest(content).startswith(match["digest"]):
                yield from read_records(content, str(path))
            else:
                self._set_aside(path)

    def _set_aside(self, path: Path) -> None:
        aside = set_aside(path)
        if aside not in self.damaged:
            self.damaged.append(aside)


def _merged(records: Sequence[Record]) -> dict[str, Record]:
    """One record a run: the last, but none that failed in place of one that did not."""
    merged: dict[str, Record] = {}
    for record in records:
        if record.run_id not in merged or record.status is not Status.FAILED:
            merged[record.run_id] = record
    return merged
