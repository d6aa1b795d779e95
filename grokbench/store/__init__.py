"""Records on disk, the dataset that is assembled from them, and its provenance."""

from grokbench.durable import write_text
from grokbench.store.dataset import assembled
from grokbench.store.provenance import collect_provenance, provenance, suite_text
from grokbench.store.recovery import records_in
from grokbench.store.results import open_results, other_datasets
from grokbench.store.store import Store

__all__ = [
    "Store",
    "assembled",
    "collect_provenance",
    "open_results",
    "other_datasets",
    "provenance",
    "records_in",
    "suite_text",
    "write_text",
]
