"""Requests of clients: cancel, retry, priority, pause, a supervisor, its status.

Each request is idempotent, works whether or not a supervisor runs, and is safe to repeat after a
crash. Run names are checked: one that is no run's name raises `UserError`. What is asked of a run
is asked of all runs that are trained together with it, and the outcomes name them too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import RunLifecycle, read_lifecycle
from postertui.runs.lock import is_locked
from postertui.runs.spec import read_spec, run_folder
from postertui.runs.transitions import CANCELLED, NewEvent, append_under_lock
from postertui.supervisor import folder as files
from postertui.supervisor import job_settings
from postertui.supervisor.folder import DeviceRequest, JobStatus, Status
from postertui.supervisor.known_clusters import check_known, remember_cluster
from postertui.supervisor.probe import is_paused as is_run_paused
from postertui.supervisor.probe import read_priority
from postertui.supervisor.starting import start_detached, start_kept
from postertui.supervisor.unattended import unattended_message
from postertui.supervisor.units import with_groups
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.locks import is_held
from postertui.system.regular_files import UnusableFileError, touch_regular
from postertui.system.sharing import describe_os_error

#: What became of a request for one run. `requested`: its job will act on it.
#: `external`: a program of its own trains the run, and only that can start it.
#: `newer`: a newer version of postertui made the run, which has to do it.
Outcome = Literal[
    "done", "requested", "unchanged", "damaged", "newer", "missing", "external", "denied"
]

#: Below this, a disk counts as full for the banner.
LOW_SPACE_BYTES = 1 << 20


def cancel(folder: Path, runs: Iterable[str]) -> dict[str, Outcome]:
    """End these runs. Queued ones never start; running ones end within an epoch or 10 s."""
    return _each(folder, runs, partial(_cancel, time.time()))


def retry(folder: Path, runs: Iterable[str]) -> dict[str, Outcome]:
    """Queue these runs again where they failed, were cancelled or interrupted.

    What earlier attempts wrote stays. Call `ensure_supervisor` afterwards.
    """
    return _each(folder, runs, _retry)


def set_priority(folder: Path, runs: Iterable[str], priority: int) -> dict[str, Outcome]:
    """Train these runs earlier (above 0) or later (below 0) than others; 0 is the default."""

    def write(path: Path) -> Outcome:
        if priority:
            write_atomic(path / layout.PRIORITY, b"%d\n" % priority)
        else:
            (path / layout.PRIORITY).unlink(missing_ok=True)
        return "done"

    return _each(folder, runs, write)


def priority(folder: Path, run: str) -> int:
    """The run's priority."""
    return read_priority(run_folder(folder, run))


def pause_runs(folder: Path, runs: Iterable[str]) -> dict[str, Outcome]:
    """Make these runs wait. Those that are being trained stop after their epoch."""

    def request(path: Path) -> Outcome:
        if _is_external(path):
            return "external"
        if read_lifecycle(path).is_closed or is_run_paused(path):
            return "unchanged"
        is_trained = is_locked(path)
        touch_regular(path / layout.PAUSED)
        return "requested" if is_trained else "done"

    return _each(folder, runs, request)


def resume_runs(folder: Path, runs: Iterable[str]) -> dict[str, Outcome]:
    """Take back `pause_runs`. Call `ensure_supervisor` afterwards."""

    def request(path: Path) -> Outcome:
        if _is_external(path):
            return "external"
        if not is_run_paused(path):
            return "unchanged"
        (path / layout.PAUSED).unlink(missing_ok=True)
        return "done"

    return _each(folder, runs, request)


def pause(folder: Path) -> None:
    """Start no further run; those that are being trained go on to their end."""
    with _os_errors_explained(folder):
        touch_regular(folder / layout.QUEUE_PAUSED)
    files.notify(folder)


def resume(folder: Path) -> None:
    """Take back `pause`. Call `ensure_supervisor` afterwards."""
    with _os_errors_explained(folder):
        (folder / layout.QUEUE_PAUSED).unlink(missing_ok=True)
    files.notify(folder)


def is_paused(folder: Path) -> bool:
    """Whether the whole queue was asked to wait."""
    return (folder / layout.QUEUE_PAUSED).exists()


def notify(folder: Path) -> None:
    """Have supervisor and readers scan the folder soon, because something was queued."""
    files.notify(folder)


def has_supervisor(folder: Path) -> bool:
    """Whether a supervisor is at work on `folder`.

    Raises `UserError` where its lock is not a file that can be opened.
    """
    with _os_errors_explained(folder):
        return is_held(folder / layout.SUPERVISOR_LOCK)


def ensure_supervisor(
    folder: Path,
    *,
    jobs: int | None = None,
    on: str | None = None,
    gpu: float | None = None,
    device: DeviceRequest | None = None,
    keep: bool = False,
) -> bool:
    """Have a supervisor at work; True where this call started it.

    Parameters
    ----------
    folder
        The runs folder, which is made where it is missing.
    jobs
        How many runs at a time (per GPU, or on the CPU); a supervisor that runs already follows it.
    on
        A cluster's address or `here`; without it, runs are trained where they were before.
    gpu
        The share of a GPU that a run takes on a cluster.
    device
        What to train on here; counts for a supervisor that is started (see `ignored_settings`).
    keep
        Whether the supervisor is to end with this process, as in a container.

    Raises
    ------
    UserError
        Where none can be started, or where one works elsewhere.
    """
    with _os_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = files.read_settings(folder)
        requested = files.Settings(
            jobs=before.jobs if jobs is None else jobs,
            on=before.on if on is None else None if on == "here" else on,
            gpu=before.gpu if gpu is None else gpu,
            device=before.device if device is None else device,
        )
        if on is not None and requested.on is not None:
            remember_cluster(requested.on)
        elif requested.on is not None:
            check_known(folder, requested.on)
        if requested.on != before.on and has_supervisor(folder):
            where = before.on or "this machine"
            raise UserError(f"{folder}: runs are being trained on {where}; stop them first")
        if requested != before:
            write_atomic(folder / layout.SETTINGS, msgspec.json.encode(requested) + b"\n")
    files.notify(folder)
    if has_supervisor(folder):
        return False
    with _os_errors_explained(folder):
        return start_kept(folder, jobs) if keep else start_detached(folder, jobs)


def ignored_settings(folder: Path, device: DeviceRequest | None = None) -> list[str]:
    """What of this process's settings the supervisor at work does not go by, a line each."""
    written = status(folder)
    if not written.running or not written.job_settings:
        return []
    lines = job_settings.ignored_settings(
        job_settings.job_settings(device), written.job_settings, device_given=device is not None
    )
    if lines:
        lines.append(
            f"The supervisor at work (pid {written.pid}) keeps the settings it was started with. "
            "To have others count: `postertui pause`, and once nothing runs, the same command and "
            "`postertui resume`."
        )
    return lines


def stop_supervisor(folder: Path, patience: float = 10.0) -> bool:
    """Stop the supervisor and its jobs; what they trained can be resumed. True when it is gone."""
    process = files.read_status(folder).process
    if process is not None and has_supervisor(folder):
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while has_supervisor(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def status(folder: Path, open_runs: int | None = None) -> Status:
    """What the supervisor does now, or why none is at work.

    `open_runs` is how many runs are queued or interrupted, where the caller has read them.
    """
    written = files.read_status(folder)
    if not has_supervisor(folder):
        waiting = unattended_message(folder, written, open_runs)
        if is_paused(folder):
            waiting = files.PAUSED_MESSAGE
        return Status(queued=written.queued, waiting=waiting)
    waiting = written.waiting
    if waiting is None and not _has_space(folder):
        waiting = files.disk_full_message(folder)
    return msgspec.structs.replace(written, running=True, waiting=waiting)


def _each(
    folder: Path, runs: Iterable[str], request: Callable[[Path], Outcome]
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    problems: list[UserError] = []
    for run in with_groups(folder, runs):
        path = run_folder(folder, run)
        if path.is_symlink() or not path.is_dir():
            outcomes[run] = "missing"
            continue
        try:
            with _os_errors_explained(path):
                outcomes[run] = _outcome(path, request)
        except UserError as error:
            # The other runs first: one that cannot be written keeps none of them waiting.
            problems.append(error)
    files.notify(folder)
    if problems:
        raise problems[0]
    return outcomes


def _outcome(path: Path, request: Callable[[Path], Outcome]) -> Outcome:
    try:
        return request(path)
    except DamagedEventsError as error:
        return "newer" if error.is_newer else "damaged"
    except (UnusableFileError, IsADirectoryError):
        return "damaged"
    except PermissionError:
        return "denied"


def _cancel(began: float, path: Path) -> Outcome:
    statuses_found: list[str | None] = []

    def end(lifecycle: RunLifecycle) -> NewEvent | None:
        if lifecycle.is_closed:
            statuses_found.append(lifecycle.status)
            return None
        return CANCELLED

    lifecycle = read_lifecycle(path)
    if lifecycle.is_closed:
        # Perhaps since this request was made of another run of its group.
        is_new = lifecycle.status == "cancelled" and (lifecycle.end or {})["time"] >= began
        return "done" if is_new else "unchanged"
    # The request is written before the lock is tried: its holder sees one or the other.
    request = path / layout.CANCEL
    touch_regular(request)
    appended = append_under_lock(path, end)
    if appended is None:
        return "requested"
    request.unlink(missing_ok=True)
    (path / layout.PAUSED).unlink(missing_ok=True)
    # Its job may have acted on the request already.
    return "done" if appended or statuses_found == ["cancelled"] else "unchanged"


def _retry(path: Path) -> Outcome:
    def requeue(lifecycle: RunLifecycle) -> NewEvent | None:
        if lifecycle.milestone != "end" or lifecycle.status == "done":
            return None
        return "requeue", {}

    if _is_external(path):
        return "external"
    # Looked at first: what needs no change may be another account's, and takes no lock.
    if requeue(read_lifecycle(path)) is None:
        return "unchanged"
    appended = append_under_lock(path, requeue)
    if appended:
        (path / layout.PAUSED).unlink(missing_ok=True)
    return "done" if appended else "unchanged"


def _is_external(path: Path) -> bool:
    """Whether a program of its own trains the run; a run that cannot be read is none such."""
    try:
        return read_spec(path).is_external
    except UserError:
        return False


def _has_space(folder: Path) -> bool:
    """Whether the folder's file system has bytes and inodes left."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return True
    # A file system that makes inodes as it needs them counts none.
    has_inodes = space.f_files == 0 or space.f_favail > 0
    return has_inodes and space.f_bavail * space.f_frsize >= LOW_SPACE_BYTES


@contextlib.contextmanager
def _os_errors_explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `UserError` that names the file."""
    try:
        yield
    except OSError as error:
        raise UserError(describe_os_error(error, path, os.W_OK), exit_code=1) from None


__all__ = [
    "JobStatus",
    "Outcome",
    "Status",
    "cancel",
    "ensure_supervisor",
    "has_supervisor",
    "is_paused",
    "notify",
    "pause",
    "pause_runs",
    "priority",
    "resume",
    "resume_runs",
    "retry",
    "set_priority",
    "status",
    "stop_supervisor",
]
