"""Requests of clients: for runs, for the whole queue, for a supervisor and its status.

Each request is idempotent, works whether or not a supervisor runs, and is safe to repeat after a
crash. Those for runs are `run_requests`, and can be had from here.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.supervisor import folder as files
from postertui.supervisor import job_settings
from postertui.supervisor.backends.clusters import HERE
from postertui.supervisor.folder import DeviceRequest, JobStatus, Status, is_queue_paused, notify
from postertui.supervisor.known_clusters import check_known, remember_cluster
from postertui.supervisor.run_requests import (
    RequestOutcome,
    cancel,
    pause_runs,
    priority,
    resume_runs,
    retry,
    set_priority,
)
from postertui.supervisor.starting import start_detached, start_kept
from postertui.supervisor.unattended import unattended_message
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.locks import is_held
from postertui.system.os_errors import disk_full_reason
from postertui.system.regular_files import touch_regular
from postertui.system.sharing import os_errors_explained


def pause(folder: Path) -> None:
    """Start no further run; those that are being trained go on to their end."""
    with os_errors_explained(folder):
        touch_regular(folder / layout.QUEUE_PAUSED)
    notify(folder)


def resume(folder: Path) -> None:
    """Take back `pause`. Call `ensure_supervisor` afterwards."""
    with os_errors_explained(folder):
        (folder / layout.QUEUE_PAUSED).unlink(missing_ok=True)
    notify(folder)


def has_supervisor(folder: Path) -> bool:
    """Whether a supervisor is at work on `folder`.

    Raises `UserError` where its lock is not a file that can be opened.
    """
    with os_errors_explained(folder):
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
    with os_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = files.read_settings(folder)
        requested = files.Settings(
            jobs=before.jobs if jobs is None else jobs,
            on=before.on if on is None else None if on == HERE else on,
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
    notify(folder)
    if has_supervisor(folder):
        return False
    with os_errors_explained(folder):
        return start_kept(folder, jobs) if keep else start_detached(folder, jobs)


def ignored_settings(folder: Path, device: DeviceRequest | None = None) -> list[str]:
    """What of this process's settings the supervisor at work does not go by, a line each.

    `device` is the one that the user named; None where none was, so that any is fine.
    """
    written = status(folder)
    if not written.running or not written.job_settings:
        return []
    lines = job_settings.describe_ignored(
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
    """Stop the supervisor and its jobs; what they trained can be resumed.

    Returns True when it is gone, False where it goes on for longer than `patience` seconds.
    """
    process = files.read_status(folder).process
    if process is not None and has_supervisor(folder):
        process.signal(signal.SIGTERM, holding=folder / layout.SUPERVISOR_LOCK)
    deadline = time.monotonic() + patience
    while has_supervisor(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def status(folder: Path, open_runs: int | None = None) -> Status:
    """What the supervisor does now, or why none is at work.

    Parameters
    ----------
    folder
        The runs folder.
    open_runs
        How many runs are queued or interrupted, where the caller has read them; otherwise that
        many as the last supervisor left behind.

    Raises
    ------
    UserError
        Where the supervisor's lock is not a file that can be opened.
    """
    written = files.read_status(folder)
    if not has_supervisor(folder):
        waiting = unattended_message(folder, written, open_runs)
        if is_queue_paused(folder):
            waiting = files.PAUSED_MESSAGE
        return Status(queued=written.queued, waiting=waiting)
    waiting = written.waiting
    if waiting is None and not files.has_space(folder):
        waiting = files.waiting_message(disk_full_reason(folder))
    return msgspec.structs.replace(written, running=True, waiting=waiting)


__all__ = [
    "JobStatus",
    "RequestOutcome",
    "Status",
    "cancel",
    "ensure_supervisor",
    "has_supervisor",
    "ignored_settings",
    "is_queue_paused",
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
