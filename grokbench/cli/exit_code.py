"""The exit codes of the commands."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    """The command succeeded."""

    CLAIM_FAILED = 1
    """`check`: a claim has another verdict than the suite expects."""

    CHECK_FAILED = 1
    """`test-plugin`: a check of the plugin failed."""

    VERDICT_CHANGED = 1
    """`compare`: a verdict in B differs from the verdict in A."""

    USAGE = 2
    """The command line, a suite, a plugin or a results file has a mistake. Nothing was changed."""

    UNDECIDED = 3
    """`check`: no claim failed, but a claim is undecided, or a run that it needs is missing."""

    RUNS_CRASHED = 4
    """A run raised an error, or a worker process of `run` died. All other runs are stored."""

    CHANGED_AFTER_TRAINING = 5
    """`check --strict-rules`: no claim failed, but a claim is not as it was declared before training."""

    INTERRUPTED = 130
    """Ctrl-C or SIGTERM. Finished cohorts are stored, and the same command continues."""
