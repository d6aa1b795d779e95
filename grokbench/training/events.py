"""What training tells whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence

from grokbench.plan import Cohort
from grokbench.record import Record


class Events:
    """Called while cohorts are trained. Every method does nothing here; override what you need."""

    def started(self, cohort: Cohort) -> None:
        """A worker has begun to train the cohort."""

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        """The cohort was evaluated after `step` steps.

        Args:
            validation_accuracy: the mean over the cohort's runs, in the task's first part.
        """

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        """The training of the cohort has ended, with one record for each run.

        There are fewer records where training was told to stop, and where memory was too small. The
        other runs continue from their checkpoint the next time.
        """

    def lost(self, cohort: Cohort, message: str) -> None:
        """Runs of the cohort have no record, and `message` says why.

        The worker process died, or was killed because it did not stop: then no run has a record. Or
        memory was too small for some of the runs: then `finished` has the records of the others.
        """
