"""How many CPU cores this process may use: the default number of worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """The number of cores that this process may run on, but no more than its container's CPU quota.

    A quota of 2.5 cores allows 2 processes that compute all the time. At least 1.

    Args:
        root: the folder in which `proc` and `sys` lie.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *map(int, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The CPU quotas of this process's control groups and of all groups around them, in cores.

    Linux kernel documentation, admin-guide: `cpu.max` in cgroup-v2.rst, and `cpu.cfs_quota_us` in
    scheduler/sched-bwc.rst for version 1.
    """
    groups = ""
    with suppress(OSError):
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    for line in groups.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            mounted = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            mounted = root / "sys/fs/cgroup" / "cpu"
        else:
            continue
        inside = mounted / group.lstrip("/")
        # In a container the group's own folder may be missing: its content is at the top.
        for folder in (inside, *inside.parents):
            yield from _quota_of(folder)
            if folder == mounted:
                break


def _quota_of(folder: Path) -> Iterator[float]:
    """The quota of one control group; nothing if it has none."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        yield float(quota) / float(period)  # "max" is no number: no quota
    with suppress(OSError, ValueError):
        quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8")
        period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
        if float(quota) > 0:  # -1: no quota
            yield float(quota) / float(period)
