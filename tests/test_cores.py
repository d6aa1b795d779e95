from __future__ import annotations

import os
from pathlib import Path

import pytest

from grokbench.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def root_with(folder: Path, groups: str, **quotas: str) -> Path:
    """A root folder with the control groups of a process; `a__cpu_max` is the file `a/cpu.max`."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for name, content in quotas.items():
        *around, file = name.split("__")
        path = folder.joinpath("sys/fs/cgroup", *around, file.replace("cpu_", "cpu.", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return folder


V1 = "4:memory:/docker/a\n3:cpuacct,cpu:/docker/a\n"


@pytest.mark.parametrize(
    ("cores", "groups", "quotas"),
    [
        (8, "", {}),
        (8, "0::/\n", {"cpu_max": "max 100000"}),
        (2, "0::/\n", {"cpu_max": "250000 100000"}),
        (1, "0::/\n", {"cpu_max": "50000 100000"}),
        (8, "0::/\n", {"cpu_max": "6400000 100000"}),
        (3, "0::/outer/inner\n", {"outer__cpu_max": "300000 100000", "outer__inner__cpu_max": "max 1"}),
        (8, "0::/\n", {"cpu_max": "nonsense"}),
        (2, V1, {"cpu__docker__a__cpu_cfs_quota_us": "200000", "cpu__docker__a__cpu_cfs_period_us": "100000"}),
        (4, V1, {"cpu__cpu_cfs_quota_us": "200000", "cpu__cpu_cfs_period_us": "50000"}),
        (8, V1, {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}),
    ],
)  # fmt: skip
def test_a_containers_quota_and_the_affinity_limit_the_cores(
    tmp_path: Path, cores: int, groups: str, quotas: dict[str, str]
) -> None:
    assert cores == usable_cores(root_with(tmp_path, groups, **quotas))


def test_without_control_groups_the_affinity_alone_counts(tmp_path: Path) -> None:
    assert 8 == usable_cores(tmp_path)
