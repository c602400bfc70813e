"""What containers and batch systems allow, from made-up trees of /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postertui.system.cgroups import ResourceLimits, read_limits, usable_cores, usable_memory

GB = 1 << 30
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU = "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "36 25 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
OTHER = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw"

SLURM = "/system.slice/slurmstepd.scope/job_7/step_0/user/task_0"

CASES = {
    "a machine without limits": ("0::/user.slice", [V2], {}, None, None),
    "no control groups at all": ("", [], {}, None, None),
    "docker --cpus .5 --memory 1g": (
        "0::/",
        [V2],
        {"cpu.max": "50000 100000", "memory.max": str(GB)},
        0.5,
        GB,
    ),
    "a service of systemd: CPUQuota=200% of its slice, MemoryMax of its own": (
        "0::/train.slice/train-a.service",
        [V2],
        {
            "train.slice/cpu.max": "200000 100000",
            "train.slice/train-a.service/cpu.max": "max 100000",
            "train.slice/train-a.service/memory.max": str(4 * GB),
            "train.slice/memory.max": "max",
        },
        2.0,
        4 * GB,
    ),
    "the smallest on the way up counts": (
        "0::/a/b/c",
        [V2],
        {
            "a/memory.max": str(8 * GB),
            "a/b/memory.max": str(2 * GB),
            "a/b/c/memory.max": str(3 * GB),
            "a/cpu.max": "150000 100000",
            "a/b/c/cpu.max": "400000 100000",
        },
        1.5,
        2 * GB,
    ),
    "Slurm with version 2: the limit is the job's, three levels up": (
        f"0::{SLURM}",
        [V2],
        {"system.slice/slurmstepd.scope/job_7/memory.max": str(16 * GB)},
        None,
        16 * GB,
    ),
    "Slurm with version 1": (
        "9:memory:/slurm/uid_1000/job_7/step_0\n4:cpu,cpuacct:/slurm/uid_1000/job_7/step_0\n0::/",
        [V1_CPU, V1_MEMORY],
        {
            "memory/slurm/uid_1000/job_7/memory.limit_in_bytes": str(6 * GB),
            "memory/memory.limit_in_bytes": "9223372036854771712",
            "cpu,cpuacct/slurm/uid_1000/job_7/cpu.cfs_quota_us": "300000",
            "cpu,cpuacct/slurm/uid_1000/job_7/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
        },
        3.0,
        6 * GB,
    ),
    "docker with version 1: its path is that of the host": (
        "9:memory:/docker/3f9a\n0::/",
        ["36 25 0:32 /docker/3f9a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"],
        {"memory/memory.limit_in_bytes": str(GB)},
        None,
        GB,
    ),
    "a path outside of the namespace": (
        "0::/../../elsewhere",
        [V2],
        {"memory.max": str(GB)},
        None,
        GB,
    ),
    "one controller in version 1, the rest in version 2": (
        "3:cpu,cpuacct:/box\n0::/box",
        [V1_CPU, V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")],
        {
            "cpu,cpuacct/box/cpu.cfs_quota_us": "25000",
            "cpu,cpuacct/box/cpu.cfs_period_us": "100000",
            "unified/box/memory.max": str(3 * GB),
        },
        0.25,
        3 * GB,
    ),
    "a file that cannot be understood": ("0::/", [V2], {"cpu.max": "plenty"}, None, None),
}


def make_tree(root: Path, membership: str, mounts: list[str], files: dict[str, str]) -> None:
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(membership + "\n" if membership else "")
    (proc / "mountinfo").write_text("\n".join([OTHER, *mounts]) + "\n")
    for line in membership.splitlines():
        path = line.split(":", 2)[2].lstrip("/")
        for mount in mounts:
            folder = root / mount.split()[4].lstrip("/")
            if ".." not in path and mount.split()[3] == "/":
                (folder / path).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path_of = root / "sys/fs/cgroup" / name
        path_of.parent.mkdir(parents=True, exist_ok=True)
        path_of.write_text(content + "\n")


@pytest.mark.parametrize(
    ("membership", "mounts", "files", "cpus", "memory"), CASES.values(), ids=CASES.keys()
)
def test_limits(
    tmp_path: Path,
    membership: str,
    mounts: list[str],
    files: dict[str, str],
    cpus: float | None,
    memory: int | None,
) -> None:
    make_tree(tmp_path, membership, mounts, files)
    assert read_limits(tmp_path) == ResourceLimits(cpus, memory)
    cores = len(os.sched_getaffinity(0))
    if cpus is None:
        assert usable_cores(tmp_path) == cores
    else:
        assert usable_cores(tmp_path) == max(1, min(cores, int(cpus)))
    if memory is not None:
        assert usable_memory(tmp_path) <= memory


def test_this_machine_has_a_core_and_memory() -> None:
    assert usable_cores() >= 1
    assert usable_memory() > 0
