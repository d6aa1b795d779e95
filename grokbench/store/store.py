"""The results of a suite on disk: record files during training, one dataset afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from grokbench.store.declarations import Entry, declaring, joined, trained_under
from grokbench.store.layout import DeclarationsOfRuns, parsed
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

    Nothing is written before `check_writable` or the first save. A store must be used by one thread
    only, because HDF5 has no locks.

    Attributes:
        path: the file of the dataset.
        damaged: the new paths of record files that were damaged and set aside. Their runs count as
            missing.

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
        self._used = False

    def check_writable(self) -> None:
        """Check before training that records and the dataset can be stored.

        The folder and `records/` are made if they do not exist.

        Raises:
            ResultsError: a folder cannot be made, or cannot be written to.
        """
        for folder in (self.folder, self._records):
            check_writable(folder)
        self._used = True

    def removed(self) -> bool:
        """Whether the folder of the records, which `check_writable` has made, is gone. Told once."""
        gone = self._used and not self._records.is_dir()
        self._used = self._used and not gone
        return gone

    def records(self) -> dict[str, Record]:
        """Every stored record by its run's id, from the dataset and from the record files.

        If a run has more than one record, a record file takes precedence over the dataset, and a
        later file name over an earlier one. But a failed record never replaces one that did not
        fail.

        Raises:
            ResultsError: the dataset is damaged, or a newer grokbench wrote it.
        """
        old = self._dataset()
        saved = [record for records, _ in self._saved() for record in records]
        return merged([*(records_in(old).values() if old else ()), *saved])

    def declarations(self) -> list[dict[str, Any]]:
        """The declarations that the stored runs were trained under, each with its `runs`.

        Raises:
            ResultsError: the dataset is damaged, or a newer grokbench wrote it.
        """
        old = self._dataset()
        found = [] if old is None else provenance_of(old).get("declarations", [])
        return joined(
            [
                *found,
                *(entry for some, told in self._saved() for entry in trained_under(told, some)),
            ]
        )

    def save(
        self,
        cohort_id: str,
        records: Sequence[Record],
        declarations: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a cohort's records to one file: all of them or none.

        Args:
            cohort_id: the beginning of the file's name.
            records: what the runs left behind.
            declarations: what the suite declared of its claims when the runs were trained, from
                `grokbench.suite.declarations`.

        Raises:
            ResultsError: a record's arrays are not as `Record` promises, or the file could not be
                written.
        """
        remove_abandoned(self._records)
        return write_durably(
            self._records,
            write=lambda path: write_records(path, records, declarations),
            name=lambda path: f"{cohort_id}-{digest(path.read_bytes())[:16]}.nc",
        )

    def begin(self, cohort_id: str, runs: Iterable[str], declarations: Mapping[str, Any]) -> None:
        """Remember what was declared when runs of a cohort began, before they show anything.

        Runs that had begun before, and were interrupted, keep the declarations of that time.

        Raises:
            ResultsError: the file could not be written.
        """
        entries = self._begun(cohort_id)
        new = [run for run in runs if not any(run in entry["runs"] for entry in entries)]
        if new:
            self._write_begun(cohort_id, [*entries, {**declarations, "runs": new}])

    def finish(
        self, cohort_id: str, records: Sequence[Record], declarations: Mapping[str, Any]
    ) -> None:
        """Save records, each with the declarations that its run began under.

        Args:
            cohort_id, records: as for `save`.
            declarations: for runs of which `begin` does not know.

        Raises:
            ResultsError: as `save`.
        """
        entries, left = self._begun(cohort_id), list(records)
        for entry in entries:
            some = [record for record in left if record.run_id in entry["runs"]]
            left = [record for record in left if record.run_id not in entry["runs"]]
            if some:
                told = {name: value for name, value in entry.items() if name != "runs"}
                self.save(cohort_id, some, told)
        if left:
            self.save(cohort_id, left, declarations)
        ended = {record.run_id for record in records}
        waiting = [
            {**entry, "runs": [run for run in entry["runs"] if run not in ended]}
            for entry in entries
        ]
        self._write_begun(cohort_id, [entry for entry in waiting if entry["runs"]])

    def _begun(self, cohort_id: str) -> list[Entry]:
        """The declarations that the cohort's interrupted runs began under, each with its runs."""
        for path in sorted(self._records.glob(f"{cohort_id}-*.json")):
            content = path.read_bytes()
            if path.stem == f"{cohort_id}-{digest(content)[:16]}":
                with suppress(ResultsError, UnicodeDecodeError):
                    found = parsed(content.decode(), list[DeclarationsOfRuns], str(path))
                    return [dict(entry) for entry in found]
            self._set_aside(path)
        return []

    def _write_begun(self, cohort_id: str, entries: Sequence[Entry]) -> None:
        """Replace what `_begun` reads."""
        former = set(self._records.glob(f"{cohort_id}-*.json"))
        if entries:
            content = json.dumps(entries, sort_keys=True, allow_nan=False).encode()
            former.discard(
                write_durably(
                    self._records,
                    write=lambda path: path.write_bytes(content),
                    name=lambda _: f"{cohort_id}-{digest(content)[:16]}.json",
                )
            )
        for path in former:
            path.unlink(missing_ok=True)

    def assemble(self, suite: Suite, provenance: Mapping[str, Any]) -> xr.DataTree:
        """Write the dataset from all stored records, and open it.

        The same records give the same bits in any order of saving. If nothing is new, the file is
        not written. Records that only the old dataset has are moved to a record file: their runs
        are no longer in the suite, or they disagree with other records.

        Args:
            suite: its experiments are laid out. A run without a record has the status `not_run`.
            provenance: of this sitting, from `collect_provenance`. Earlier sittings are kept, and so
                are the declarations that each run was trained under.

        Raises:
            ResultsError: the old dataset is damaged, or the new dataset could not be written.
        """
        remove_abandoned(self.folder)
        old = self._dataset()
        known = records_in(old) if old is not None else {}
        saved = list(self._saved())
        records = merged([*known.values(), *(record for some, _ in saved for record in some)])
        declared = [entry for some, told in saved for entry in trained_under(told, some)]
        if old is not None:
            before = provenance_of(old)
            declared = [*before.get("declarations", []), *declared]
            if provenance["suite"] == before["suite"]:
                again = assembled(suite, records, declaring(before, declared))
                if again.identical(old):
                    return old
            provenance = continued(old, provenance)
        tree = assembled(suite, records, declaring(provenance, declared))
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

    def _saved(self) -> Iterator[tuple[list[Record], dict[str, Any] | None]]:
        """What is in each undamaged record file, in the order of the files' names."""
        for path in sorted(self._records.glob("*.nc")):
            match = _RECORD_FILE.fullmatch(path.name)
            if match is None or not path.is_file():
                continue
            found = _intact(path, match["digest"])
            if found is None:
                self._set_aside(path)
            else:
                yield found

    def _set_aside(self, path: Path) -> None:
        aside = set_aside(path)
        if aside not in self.damaged:
            self.damaged.append(aside)


def _intact(path: Path, expected: str) -> tuple[list[Record], dict[str, Any] | None] | None:
    """What `read_records` reads from a file; None if the file is not as grokbench wrote it."""
    content = path.read_bytes()
    if not digest(content).startswith(expected):
        return None
    try:
        return read_records(content, str(path))
    except ResultsError:
        raise
    except Exception:  # noqa: BLE001 (any file can have a name with the right digest)
        return None
