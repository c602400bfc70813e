"""The data folder, and whether the runs folder can be worked in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from postertui.system.atomic_files import DRAFT_PREFIX
from postertui.system.errors import UserError
from postertui.system.finding import Finding
from postertui.system.locks import FileLock
from postertui.system.sharing import describe_os_error, is_shared, owner_of
from postertui.system.text import pluralize

#: File systems that are reached over a network.
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gpfs")

#: Below this, a disk is worth a note.
LOW_SPACE_BYTES = 1 << 30

#: Tries for a lock that the parent holds. A child, since on some network file systems the locks of
#: one process never exclude each other.
_PROBE = """
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(0)
sys.exit(9)
"""


def check_data(data: Path) -> Iterator[Finding]:
    """Whether the data folder can be read."""
    from postertui.data.dataset import Dataset

    if not data.exists():
        yield Finding("data", "note", f"{data}: no data folder", "`postertui data build` makes one")
        return
    try:
        dataset = Dataset.open(data)
        counts = ", ".join(f"{d}: {dataset.posters((d,))}" for d in dataset.cohorts)
    except (UserError, OSError) as error:
        yield Finding("data", "wrong", str(error), "`postertui data build` makes it again")
        return
    yield Finding(
        "data",
        "ok",
        f"{data}: {pluralize(len(dataset.genres), 'genre')}; posters by cohort: {counts}",
    )


def check_folder(runs: Path) -> Iterator[Finding]:
    """Whether `runs` can be written, has room, and keeps locks."""
    if not runs.exists():
        parent = next(p for p in runs.absolute().parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield Finding("runs", "ok", f"{runs}: not there yet; `postertui train` makes it")
        else:
            yield Finding("runs", "wrong", f"{runs}: cannot be made in {parent}", "choose --runs")
        return
    kind = file_system(runs)
    try:
        locks_hold = locks_work(runs)
    except OSError as error:
        yield Finding(
            "runs",
            "wrong",
            f"cannot be written: {describe_os_error(error, runs, os.W_OK)}",
            "mend its owner, mode or disk, or choose another with --runs",
        )
        return
    if not locks_hold:
        yield Finding(
            "runs",
            "wrong",
            f"{runs}: the file system ({kind}) does not keep flock locks",
            "put the runs on a local disk: without locks two jobs may train one run",
        )
    elif kind in NETWORK or kind.startswith("fuse"):
        yield Finding(
            "runs",
            "note",
            f"{runs}: on a network file system ({kind}); locks work between processes of this "
            "machine, perhaps not between machines",
            "start jobs for this folder on one machine only",
        )
    else:
        yield Finding("runs", "ok", f"{runs}: writable, locks work ({kind})")
    free = shutil.disk_usage(runs).free
    if free < LOW_SPACE_BYTES:
        yield Finding("runs", "note", f"{runs}: {free >> 20} MB left on the disk", "make room")
    if is_shared(runs) and not runs.stat().st_mode & 0o002:
        group = owner_of(runs.stat()).partition(":")[2]
        yield Finding("runs", "ok", f"{runs}: shared with the group {group}")
    elif mode := runs.stat().st_mode & 0o022:
        yield Finding(
            "runs", "note", f"{runs}: others may write to it (mode {mode:03o})", f"chmod 700 {runs}"
        )


def locks_work(folder: Path) -> bool:
    """Whether a flock that one process takes in `folder` keeps another one out.

    Raises `OSError` where nothing can be written there.
    """
    path = folder / f"{DRAFT_PREFIX}lock-{os.getpid()}"
    try:
        with FileLock(path) as lock:
            if not lock.acquire():
                return False
            probe = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _PROBE, os.fspath(path)], check=False
            )
            return probe.returncode == 0
    finally:
        path.unlink(missing_ok=True)


def file_system(path: Path, mounts: str | None = None) -> str:
    """The kind of file system that `path` is on, such as `ext4` or `nfs4`; `?` if unknown.

    `mounts` is the content of /proc/self/mountinfo.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return "?"
    resolved = path.resolve()
    longest, kind = -1, "?"
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split()[4].encode().decode("unicode_escape"))
        # Of two mounts on one point, the later one hides the other.
        if resolved.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), rest.split()[0]
    return kind
