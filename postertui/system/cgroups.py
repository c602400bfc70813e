"""The CPU time and memory that containers, batch systems and systemd allow this process.

Linux keeps such limits in control groups, which are nested: a job of Slurm or a service of systemd
lies a few levels below the group that has the limit, so the smallest on the way up counts. Both
versions of the interface are read (`Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/` in
the kernel's tree), also where a machine mounts one for some controllers and the other for the rest.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Version 1 writes "no limit" as the largest multiple of a page below 2⁶³.
UNLIMITED = 1 << 60


@dataclass(frozen=True)
class ResourceLimits:
    """What this process may use.

    Parameters
    ----------
    cpus
        CPU time per time, which may be a fraction of one; None without a limit.
    memory
        Bytes; None without a limit.
    """

    cpus: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class _Mount:
    """A mounted hierarchy: `root` is the group that is seen at `point`."""

    point: PurePosixPath
    root: PurePosixPath
    controllers: frozenset[str]


def read_limits(root: Path = Path("/")) -> ResourceLimits:
    """The limits of this process by its control groups, of version 1 or 2.

    Parameters
    ----------
    root
        Where /proc and /sys are looked for.
    """
    cpus: list[float] = []
    memory: list[int] = []
    try:
        membership = (root / "proc/self/cgroup").read_text()
        mounts = list(_mounts((root / "proc/self/mountinfo").read_text()))
    except OSError:
        return ResourceLimits()
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for mount in mounts:
            if mount.controllers != frozenset(filter(None, controllers.split(","))):
                continue
            for group in _groups_upwards(root, mount, PurePosixPath(path)):
                cpus += _cpu_limits(group)
                memory += _memory_limits(group)
    return ResourceLimits(min(cpus, default=None), min(memory, default=None))


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process can keep busy: by its affinity, and by the limit of CPU time."""
    cores = len(os.sched_getaffinity(0))
    limit = read_limits(root).cpus
    return cores if limit is None else max(1, min(cores, math.floor(limit)))


def usable_memory(root: Path = Path("/")) -> int:
    """The bytes of memory that this process and its jobs may use altogether."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = read_limits(root).memory
    return total if limit is None else min(total, limit)


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    """The control group hierarchies; see proc(5) for the format of a line."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        _, _, _, mount_root, point, *_ = fields.split()
        kind, _, options = rest.split(maxsplit=2)
        if kind == "cgroup2":
            yield _Mount(PurePosixPath(point), PurePosixPath(mount_root), frozenset())
        elif kind == "cgroup":
            # Options of the mount itself (`rw`) never are names of controllers.
            names = frozenset(options.split(",")) - {"rw", "ro", "xattr", "nsdelegate"}
            yield _Mount(PurePosixPath(point), PurePosixPath(mount_root), names)


def _groups_upwards(root: Path, mount: _Mount, path: PurePosixPath) -> Iterator[Path]:
    """The folders of the group `path` and of all groups above it that are visible."""
    point = root / mount.point.relative_to("/")
    try:
        below = path.relative_to(mount.root)
    except ValueError:
        # A container sees only its own group, but may read the path that it has outside.
        below = PurePosixPath()
    if ".." in below.parts or not (point / below).is_dir():
        below = PurePosixPath()
    yield point / below
    for parent in below.parents:
        if parent != below:
            yield point / parent


def _cpu_limits(group: Path) -> Iterator[float]:
    quota, _, period = _read(group / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        yield int(quota) / int(period)
    quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    if quota.isdecimal() and period.isdecimal():
        yield int(quota) / int(period)


def _memory_limits(group: Path) -> Iterator[int]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _read(group / name)
        if text.isdecimal() and int(text) < UNLIMITED:
            yield int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
