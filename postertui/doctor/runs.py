"""What is in the runs folder: its supervisor and jobs, its runs, what a crash left."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.predictions.table import is_as_recorded, recorded_info
from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.runs.run_names import list_runs
from postertui.system.atomic_files import DRAFT_PREFIX
from postertui.system.errors import UserError
from postertui.system.finding import Finding
from postertui.system.os_errors import is_passing
from postertui.system.regular_files import check_regular
from postertui.system.text import pluralize, strip_control_chars, to_single_line

if TYPE_CHECKING:
    from postertui.runs.store import Store
    from postertui.supervisor.folder import Status

#: A draft older than this, in seconds, was left by a program that died.
STALE_AFTER = 3600.0

#: Files of a readable run that reading it has opened, which refuses all but regular files.
_OPENED = (layout.SPEC, layout.EVENTS)


def check_processes(store: Store, *, repair: bool = False) -> Iterator[Finding]:
    """The supervisor and the jobs of the folder that `store` has read.

    With `repair`, jobs that neither belong to the supervisor nor train are ended.
    """
    from postertui.supervisor import requests

    runs = store.folder
    try:
        status = requests.status(runs, open_runs=store.waiting_runs)
        is_supervised = requests.has_supervisor(runs)
    except UserError as error:
        yield Finding("processes", "wrong", str(error), "mend its mode, or remove it")
        return
    if status.running:
        yield Finding(
            "processes", "ok", f"supervisor {status.pid}: {pluralize(len(status.jobs), 'job')}, "
            f"{pluralize(status.queued, 'run')} queued"
        )  # fmt: skip
        yield from _check_settings(status)
    elif is_supervised:
        yield Finding("processes", "note", "a supervisor that has written no status", "try again")
    elif status.waiting is not None:
        yield Finding("processes", "note", status.waiting)
    else:
        yield Finding("processes", "ok", "no supervisor: there is no work")
    training = {pid: name for name, pid in _owners(store)}
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
            yield Finding("processes", "ok", f"ended job {pid}, which belonged to no supervisor")
        else:
            yield Finding(
                "processes",
                "wrong",
                f"job {pid} belongs to no supervisor and trains nothing",
                "`postertui doctor --repair` ends it",
            )


def check_runs(store: Store, *, repair: bool = False) -> Iterator[Finding]:
    """Runs that cannot be read; the others are counted."""
    runs = sorted(store.runs.values(), key=lambda run: run.name)
    newer = [run for run in runs if run.is_newer]
    unreadable = [run for run in runs if run.is_unreadable]
    damaged = [
        run for run in runs if run.damage is not None and not run.is_newer and not run.is_unreadable
    ]
    readable = len(runs) - len(damaged) - len(newer) - len(unreadable)
    yield Finding("runs", "ok", f"{readable} of {len(runs)} runs can be read")
    for run in newer:
        problem = run.damage or f"{store.folder / run.name}: made by a newer version of postertui"
        yield Finding("runs", "note", to_single_line(problem), "upgrade postertui to train it")
    for run in unreadable:
        problem, _, mend = to_single_line(run.damage or "").partition("; ")
        yield Finding("runs", "wrong", problem, mend)
    for run in damaged:
        problem = to_single_line(run.damage or "")
        is_damaged = partial(_is_damaged, store.folder, run.name)
        yield _move_or_report(store.folder, store.folder / run.name, problem, repair, is_damaged)
    yield from _check_files(store)


def _check_files(store: Store) -> Iterator[Finding]:
    """What lies in the folders of readable runs, each of which is listed once.

    Files that are no regular files, which no command opens; what predictions and weights of done
    runs take, and which of them are damaged.
    """
    sizes = dict.fromkeys(layout.RESULTS, 0)
    damaged: list[str] = []
    for run in sorted(store.runs.values(), key=lambda run: run.name):
        for path, status in _unread_files(os.path.join(store.folder, run.name)):  # noqa: PTH118
            try:
                check_regular(status, path)
            except OSError as error:
                if run.damage is None:
                    problem = to_single_line(f"{path}: {error.strerror}")
                    yield Finding("runs", "wrong", problem, "remove it")
            name = os.path.basename(path)  # noqa: PTH119
            if run.state == "done" and name in sizes and stat.S_ISREG(status.st_mode):
                sizes[name] += status.st_size
                with contextlib.suppress(OSError):
                    if not _is_complete(Path(path), status.st_size, run.end or {}):
                        damaged.append(f"{run.name}/{name}")
    if any(sizes.values()):
        parts = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())
        yield Finding("runs", "ok", f"kept of done runs: {parts}")
    for name in sorted(damaged):
        yield Finding("runs", "wrong", f"{store.folder / name}: damaged", HOW_TO_RESTORE)


def _unread_files(folder: str) -> list[tuple[str, os.stat_result]]:
    """Paths and status of a run's files, by name, without those that reading the run has opened."""
    files = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in _OPENED and layout.is_run_file(entry.name):
                with contextlib.suppress(OSError):
                    files.append((entry.path, entry.stat(follow_symlinks=False)))
    return sorted(files)


def _is_complete(path: Path, size: int, end: dict[str, object]) -> bool:
    """Whether predictions are those that the run wrote, and weights have their size.

    Predictions of an older version, which recorded no digest, only have their signature checked;
    the content of weights is checked when it is read.
    """
    if path.name == layout.PREDICTIONS:
        data = path.read_bytes()
        info = recorded_info(end)
        return data[-4:] == b"PAR1" if info is None else is_as_recorded(data, info)
    weights = end.get("weights")
    return not isinstance(weights, dict) or weights.get("bytes", size) == size


def check_leftovers(runs: Path, *, repair: bool = False) -> Iterator[Finding]:
    """Notes and settings that cannot be read, and drafts that a crash left."""
    from postertui.runs.notes import read_notes
    from postertui.supervisor.folder import check_settings

    try:
        read_notes(runs)
    except UserError as error:
        yield _move_or_report(runs, runs / layout.NOTES, str(error), repair)
    try:
        check_settings(runs)
    except UserError as error:
        yield _move_or_report(runs, runs / layout.SETTINGS, str(error), repair)
    limit = time.time() - STALE_AFTER
    # A link among the runs is none of them: what it leads to is left alone.
    folders = [runs, *(runs / name for name in list_runs(runs))]
    drafts = [draft for folder in folders for draft in _drafts_older(folder, limit)]
    for draft in drafts if repair else ():
        if draft.is_dir() and not draft.is_symlink():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
    if drafts:
        verb = "removed" if repair else "found"
        mend = "" if repair else "`postertui doctor --repair` removes them"
        text = f"{verb} {pluralize(len(drafts), 'stale draft')}"
        yield Finding("runs", "ok" if repair else "note", text, mend)


def move_aside(runs: Path, path: Path) -> Path:
    """Move `path` into `runs/.damaged`, where nothing reads it; its new path. Raises `OSError`."""
    folder = runs / layout.DAMAGED
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, f"{folder} is a link, which is not followed")
    target, number = folder / path.name, 1
    while target.exists() or target.is_symlink():
        number += 1
        target = folder / f"{path.name}.{number}"
    return path.rename(target)


def _drafts_older(folder: Path, limit: float) -> Iterator[Path]:
    """The drafts in a folder that were changed last before `limit`; some may go meanwhile."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{DRAFT_PREFIX}*"):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < limit:
                    yield path


def _is_damaged(runs: Path, name: str) -> bool:
    from postertui.runs.store import read_run

    run = read_run(runs, name)
    return run is not None and run.problem == "damaged"


def _move_or_report(
    runs: Path,
    path: Path,
    problem: str,
    repair: bool,
    is_damaged: Callable[[], bool] = lambda: True,
) -> Finding:
    """Move `path` aside with `repair`, where it still `is_damaged`."""
    if not repair:
        return Finding("runs", "wrong", problem, "`postertui doctor --repair` moves it aside")
    with contextlib.ExitStack() as stack:
        if (path / layout.LOCK).exists():
            # Held while it is moved: no job begins in between.
            lock = RunLock(path)
            try:
                if not lock.acquire():
                    return Finding("runs", "wrong", problem, "a job works on it; cancel it first")
                stack.callback(lock.release)
            except OSError as error:
                # Where it is no file that can be opened, no job can hold it.
                if is_passing(error):
                    return Finding("runs", "wrong", f"{path}: {error.strerror}", "try again")
        if not is_damaged():
            return Finding("runs", "ok", f"{path}: can be read by now")
        try:
            target = move_aside(runs, path)
        except OSError as error:
            return Finding(
                "runs", "wrong", f"{problem}; cannot be moved: {error.strerror}", "mend modes"
            )
    name = strip_control_chars(path.name)
    return Finding("runs", "ok", f"moved {name} to {target.parent}: {problem}")


def _check_settings(status: Status) -> Iterator[Finding]:
    """The settings of the supervisor at work."""
    devices = sorted({job.device for job in status.jobs})
    parts = [f"{pluralize(status.slots, 'run')} at a time"] if status.slots else []
    parts += [f"on {', '.join(devices)}"] if devices else []
    parts += [status.memory] if status.memory else []
    parts += [f"{name} {value}" for name, value in sorted(status.job_settings.items())]
    if parts:
        yield Finding("processes", "ok", f"the supervisor goes by: {'; '.join(parts)}")
    if status.warning:
        yield Finding("processes", "wrong", status.warning)


def _owners(store: Store) -> Iterator[tuple[str, int]]:
    """Runs that are being trained and the pids of their jobs."""
    for run in store.runs.values():
        if run.state == "running" and run.start and isinstance(pid := run.start.get("pid"), int):
            yield run.name, pid


def _jobs_of(runs: Path) -> Iterable[tuple[int, int]]:
    """Pid and parent of the processes that are jobs of `runs`."""
    import psutil

    from postertui.supervisor.backends.local import RUNS_FOLDER_VARIABLE

    folder = os.fspath(runs.resolve())
    for process in psutil.process_iter():
        try:
            if "postertui.training.job" not in process.cmdline():
                continue
            if process.environ().get(RUNS_FOLDER_VARIABLE) == folder:
                yield process.pid, process.ppid()
        except psutil.Error:
            continue
