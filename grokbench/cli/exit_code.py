"""What the shell is told when a command ends."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    """The command did what it was asked."""

    CLAIM_FAILED = 1
    """`check`: a claim came out otherwise than expected."""

    CHECK_FAILED = 1
    """`test-plugin`: a plugin does not keep its contract."""

    VERDICT_CHANGED = 1
    """`compare`: a claim has another verdict in B than in A."""

    USAGE = 2
    """The command line, a suite, a plugin or a results file is wrong; nothing was changed."""

    UNDECIDED = 3
    """`check`: no claim failed, but one could not be decided, or a run that it needs is missing."""

    RUNS_CRASHED = 4
    """A run raised an error, or a worker process died in `run`; everything else is stored."""

    INTERRUPTED = 130
    """Ctrl-C, or SIGTERM; what was finished is stored, and the same command goes on."""
