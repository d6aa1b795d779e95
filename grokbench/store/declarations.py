"""Which declarations were in force when each run was trained.

A record file carries the declarations of the suite that its runs were trained under. The dataset
carries them in its provenance, as a list in the order of time. Each entry is as
`grokbench.suite.declarations` makes it, and also lists its `runs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from grokbench.record import Record, Status, canonical_json

Entry = dict[str, Any]


def trained_under(declarations: Mapping[str, Any] | None, records: Iterable[Record]) -> list[Entry]:
    """The entry of the records of one file; a run that failed has shown nothing and is left out.

    Returns:
        An empty list if an older grokbench wrote the file.
    """
    runs = [record.run_id for record in records if record.status is not Status.FAILED]
    return [] if declarations is None else [{**declarations, "runs": runs}]


def joined(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with each run in exactly one of them, and equal declarations in one entry.

    If a run was trained more than once, the earliest declarations count: whoever changed the rule
    afterwards could have seen what the run showed.
    """
    in_order = sorted(entries, key=lambda entry: (entry["since"], _key(entry)))
    found: dict[str, Entry] = {}
    seen: set[str] = set()
    for entry in in_order:
        new = [run for run in dict.fromkeys(entry["runs"]) if run not in seen]
        if new:
            seen.update(new)
            found.setdefault(_key(entry), {**entry, "runs": []})["runs"].extend(new)
    return [{**entry, "runs": sorted(entry["runs"])} for entry in found.values()]


def declaring(provenance: Mapping[str, Any], entries: Iterable[Entry]) -> dict[str, Any]:
    """The provenance with the entries, joined. Without entries, nothing is added."""
    together = joined(entries)
    return {**provenance, "declarations": together} if together else dict(provenance)


def spelled(declarations: Mapping[str, Any]) -> str:
    """The declarations as the JSON text that a record file carries."""
    return json.dumps(declarations, sort_keys=True, allow_nan=False)


def _key(entry: Entry) -> str:
    return canonical_json([entry["claims"], entry["plugins"]])
