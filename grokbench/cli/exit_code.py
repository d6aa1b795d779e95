"""The exit codes of the commands. docs/commands.md lists them for users.

70 and 74 have the meaning of EX_SOFTWARE and EX_IOERR in the BSD header sysexits.h. The code 1 always is an
answer of `check`, `test-plugin` or `compare`: no error has it.
"""

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

    UNFORESEEN = 70
    """An error that nobody foresaw, in grokbench or in a plugin. The message says where its traceback is."""

    OUTPUT_LOST = 74
    """What the command prints could not be written: the disk is full, or a pipe's reader has ended.

    An error that has a code of its own keeps that code."""

    INTERRUPTED = 130
    """Ctrl-C or SIGTERM. Finished cohorts are stored, and the same command continues."""
