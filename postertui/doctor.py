"""What `postertui doctor` looks at: versions, devices, weights, data, and the runs folder.

Each check is a function that answers `Finding`s and never raises for what it looks at. `repair`
moves what is damaged into `runs/.damaged`, where nothing reads it, and deletes nothing of a run.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from postertui.errors import UserError
from postertui.harmless import harmless
from postertui.runs import FileLock, is_held, is_locked

Status = Literal["ok", "note", "wrong"]

#: Where `--repair` puts what is damaged.
ASIDE = ".damaged"

#: Distributions whose versions are of interest, in the order in which they are shown.
PACKAGES = ("numpy", "polars", "plotnine", "textual", "tensorflow", "keras", "jax", "ray")

#: File systems that are reached over a network.
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gpfs")

#: Below this, in bytes, a disk is worth a note.
LITTLE_ROOM = 1 << 30

#: A draft older than this, in seconds, was left by somebody who died.
OLD = 3600.0

#: Tries for a lock that the parent holds; a child, since on some network file systems a process
#: never gets in its own way.
_PROBE = """
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(0)
sys.exit(9)
"""


@dataclass(frozen=True)
class Finding:
    """One line of the result. `mend` says what to do where it is not ok."""

    area: str
    status: Status
    text: str
    mend: str = ""


def examine(runs: Path, data: Path, *, repair: bool = False) -> Iterator[Finding]:
    """All findings, as they come. With `repair`, what is damaged in `runs` is moved aside."""
    yield from check_versions()
    yield from check_devices()
    yield from check_weights()
    yield from check_data(data)
    yield from check_folder(runs)
    if runs.is_dir():
        yield from check_processes(runs, repair=repair)
        yield from check_runs(runs, repair=repair)
        yield from check_leftovers(runs, repair=repair)


def check_versions() -> Iterator[Finding]:
    found = {name: _version(name) for name in PACKAGES}
    parts = [f"postertui {_version('postertui') or '?'}", f"Python {platform.python_version()}"]
    parts += [f"{name} {version}" for name, version in found.items() if version]
    yield Finding("versions", "ok", ", ".join(parts))
    if not found["keras"] or not (found["tensorflow"] or found["jax"]):
        yield Finding(
            "versions",
            "note",
            "nothing to train with; the dashboard and the figures work",
            "pip install 'postertui[train]'",
        )


def check_devices() -> Iterator[Finding]:
    from postertui.supervisor.devices import cores, find_gpus

    yield Finding("devices", "ok", f"{cores()} CPU cores")
    gpus = find_gpus()
    if gpus:
        yield Finding("devices", "ok", ", ".join(_describe_gpu(gpu) for gpu in gpus))
    else:
        yield Finding("devices", "ok", "no GPU: jobs train on the CPU")


def check_weights() -> Iterator[Finding]:
    from postertui.weights import check_file, imagenet_path

    path = imagenet_path()
    if not path.is_file():
        yield Finding(
            "weights",
            "note",
            f"no ImageNet weights at {path}; they are fetched when first needed",
            "without a network: --weights FILE, or --weights random",
        )
        return
    try:
        check_file(path)
    except UserError as error:
        yield Finding("weights", "wrong", str(error), f"remove {path}")
    else:
        yield Finding("weights", "ok", f"ImageNet weights at {path}")


def check_data(data: Path) -> Iterator[Finding]:
    from postertui.cohorts import Dataset

    if not data.exists():
        yield Finding("data", "note", f"{data}: no data folder", "`postertui data build` makes one")
        return
    try:
        dataset = Dataset.open(data)
        counts = ", ".join(f"{d}: {dataset.posters((d,))}" for d in dataset.cohorts)
    except (UserError, OSError) as error:
        yield Finding("data", "wrong", str(error), "`postertui data build` makes it anew")
        return
    yield Finding(
        "data", "ok", f"{data}: {len(dataset.genres)} genres; posters by cohort: {counts}"
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
        kept = locks_are_kept(runs)
    except OSError as error:
        yield Finding(
            "runs",
            "wrong",
            f"{runs}: cannot be written: {error.strerror}",
            "mend its owner, mode or disk, or choose another with --runs",
        )
        return
    if not kept:
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
    if free < LITTLE_ROOM:
        yield Finding("runs", "note", f"{runs}: {free >> 20} MB left on the disk", "make room")
    if mode := runs.stat().st_mode & 0o022:
        yield Finding(
            "runs", "note", f"{runs}: others may write to it (mode {mode:03o})", f"chmod 700 {runs}"
        )


def check_processes(runs: Path, *, repair: bool = False) -> Iterator[Finding]:
    """The supervisor and the jobs of `runs`; jobs that neither belong to it nor train are ended."""
    from postertui.supervisor import folder as files
    from postertui.supervisor import requests

    status = requests.status(runs)
    if status.running:
        yield Finding(
            "processes", "ok", f"supervisor {status.pid}: {len(status.jobs)} jobs, "
            f"{status.queued} runs queued"
        )  # fmt: skip
    elif is_held(runs / files.LOCK):
        yield Finding("processes", "note", "a supervisor that does not say who it is", "look again")
    else:
        yield Finding("processes", "ok", "no supervisor: there is no work, or nobody asked for it")
    training = {pid: name for name, pid in _owners(runs)}
    for pid, parent in _jobs_of(runs):
        if status.running and parent == status.pid:
            continue
        if pid in training:
            yield Finding(
                "processes",
                "note",
                f"job {pid} trains {training[pid]} on its own; its supervisor is gone",
                "it ends by itself; `postertui resume` starts a supervisor, which adopts it",
            )
        elif repair:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
            yield Finding("processes", "ok", f"ended job {pid}, which belonged to nobody")
        else:
            yield Finding(
                "processes",
                "wrong",
                f"job {pid} belongs to no supervisor and trains nothing",
                "`postertui doctor --repair` ends it",
            )


def check_runs(runs: Path, *, repair: bool = False) -> Iterator[Finding]:
    """Runs that cannot be read; the others are counted."""
    from postertui.store import Store

    store = Store(runs, cache=False)
    try:
        store.refresh()
    except OSError as error:
        yield Finding("runs", "wrong", f"{error.filename}: {error.strerror}", "mend its mode")
        return
    damaged = [run for run in store.runs.values() if run.damage is not None]
    well = len(store.runs) - len(damaged)
    yield Finding("runs", "ok", f"{well} of {len(store.runs)} runs can be read")
    for run in sorted(damaged, key=lambda run: run.name):
        said = " ".join(harmless(run.damage or "").split())
        yield _aside_or_wrong(runs, runs / run.name, said, repair)


def check_leftovers(runs: Path, *, repair: bool = False) -> Iterator[Finding]:
    """Notes that cannot be read, and drafts that a crash left."""
    from postertui.notes import NAME, read_notes

    try:
        read_notes(runs)
    except UserError as error:
        yield _aside_or_wrong(runs, runs / NAME, str(error), repair)
    drafts = [path for path in runs.glob(".new-*") if time.time() - path.lstat().st_mtime > OLD]
    for draft in drafts if repair else ():
        if draft.is_dir() and not draft.is_symlink():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
    if drafts:
        what = "removed" if repair else "found"
        mend = "" if repair else "`postertui doctor --repair` removes them"
        yield Finding(
            "runs", "ok" if repair else "note", f"{what} {len(drafts)} drafts of old", mend
        )


def locks_are_kept(folder: Path) -> bool:
    """Whether a flock that one process takes in `folder` keeps another one out.

    Raises `OSError` where nothing can be written there.
    """
    path = folder / f".new-lock-{os.getpid()}"
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
    place = path.resolve()
    best, kind = -1, "?"
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split()[4].encode().decode("unicode_escape"))
        # Of two mounts on one point, the later one hides the other.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind


def move_aside(runs: Path, path: Path) -> Path:
    """Move `path` out of sight into `runs/.damaged`; where it is now. Raises `OSError`."""
    aside = runs / ASIDE
    aside.mkdir(mode=0o700, exist_ok=True)
    target, number = aside / path.name, 1
    while target.exists() or target.is_symlink():
        number += 1
        target = aside / f"{path.name}.{number}"
    return path.rename(target)


def _aside_or_wrong(runs: Path, path: Path, said: str, repair: bool) -> Finding:
    if not repair:
        return Finding("runs", "wrong", said, "`postertui doctor --repair` moves it aside")
    if path.is_dir() and is_locked(path):
        return Finding("runs", "wrong", said, "a job works on it; cancel it first")
    try:
        target = move_aside(runs, path)
    except OSError as error:
        return Finding("runs", "wrong", f"{said}; cannot be moved: {error.strerror}", "mend modes")
    return Finding("runs", "ok", f"moved {harmless(path.name)} to {target.parent}: {said}")


def _owners(runs: Path) -> Iterator[tuple[str, int]]:
    """Runs that are being trained and the pids of their jobs."""
    from postertui.store import Store

    store = Store(runs)
    with contextlib.suppress(OSError):
        store.refresh()
    for run in store.runs.values():
        if run.state == "running" and run.start and isinstance(pid := run.start.get("pid"), int):
            yield run.name, pid


def _jobs_of(runs: Path) -> Iterable[tuple[int, int]]:
    """Pid and parent of the processes that are jobs of `runs`."""
    import psutil

    from postertui.supervisor.local import FOLDER

    folder = os.fspath(runs.resolve())
    for process in psutil.process_iter():
        try:
            if "postertui.training.job" not in process.cmdline():
                continue
            if process.environ().get(FOLDER) == folder:
                yield process.pid, process.ppid()
        except psutil.Error:
            continue


def _describe_gpu(gpu: str) -> str:
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(gpu.removeprefix("gpu:")))
            name = pynvml.nvmlDeviceGetName(handle)
            total = pynvml.nvmlDeviceGetMemoryInfo(handle).total
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # What is not known about a device is no reason to say nothing.
        return gpu
    return f"{gpu} {name} ({total >> 30} GB)"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
