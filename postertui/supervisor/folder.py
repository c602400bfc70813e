"""The files of a runs folder that belong to no single run."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from postertui.runs import layout
from postertui.study.studies import MAX_GPUS, MIN_GPUS
from postertui.system.atomic_files import DRAFT_PREFIX
from postertui.system.errors import UserError
from postertui.system.processes import Process
from postertui.system.regular_files import open_regular, read_json

#: What a user asks for: `gpu` makes a GPU that cannot be used an error, `auto` takes what there is.
DeviceRequest = Literal["auto", "cpu", "gpu"]

#: More jobs than any machine can hold; how many this one can, see `devices.max_jobs`.
MAX_JOBS = 10_000


class Settings(msgspec.Struct, frozen=True):
    """What clients requested of the supervisor.

    Attributes
    ----------
    jobs
        How many runs at a time, per GPU or on the CPU; None for the default.
    on
        Where runs are trained (`ray:HOST:PORT`); None on this machine.
    gpu
        How many GPUs a run takes on a cluster, below 1 a share of one; None to measure it.
    device
        What to train on here; None where no client has said.
    """

    jobs: Annotated[int, msgspec.Meta(ge=1, le=MAX_JOBS)] | None = None
    on: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    gpu: Annotated[float, msgspec.Meta(ge=MIN_GPUS, le=MAX_GPUS)] | None = None
    device: DeviceRequest | None = None


class JobStatus(msgspec.Struct, frozen=True):
    """One job: `run` is None while it waits. `memory` in bytes."""

    pid: int | None
    device: str
    run: str | None = None
    memory: int | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor does.

    Attributes
    ----------
    running
        Whether there is one.
    process
        The supervisor, or the last one.
    jobs
        Its jobs, busy or not.
    slots
        How many runs are trained at a time; 0 where machines come and go.
    queued
        How many runs wait.
    waiting
        The message to show when none is started although some wait (paused, no room on disk); None
        where nothing is in the way.
    warning
        Which GPUs are not used, and why.
    job_settings
        What jobs are started with, see `job_settings`.
    memory
        The limit of their memory, in words.
    failure
        The error that ended the supervisor.
    """

    running: bool = False
    process: Process | None = None
    jobs: tuple[JobStatus, ...] = ()
    slots: int = 0
    queued: int = 0
    waiting: str | None = None
    warning: str | None = None
    job_settings: dict[str, str] = {}
    memory: str = ""
    failure: str | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.running else None


#: Below this, a disk counts as full for the banner.
LOW_SPACE_BYTES = 1 << 20

#: A change counter of more bytes starts at 0 again with the next supervisor.
MAX_CHANGE_COUNTER = 1 << 20

#: What `Status.waiting` says while the queue is paused.
PAUSED_MESSAGE = "paused; `postertui resume` goes on"


def waiting_message(reason: str) -> str:
    """What `Status.waiting` says while no run is started for this reason."""
    return f"{reason}; the queue waits"


def is_queue_paused(folder: Path) -> bool:
    """Whether the whole queue was asked to wait."""
    return (folder / layout.QUEUE_PAUSED).exists()


def read_status(folder: Path) -> Status:
    """What the newest supervisor wrote about itself, whether or not it still runs."""
    try:
        return read_json(folder / layout.SUPERVISOR_STATUS, Status, "a supervisor's status")
    except (OSError, UserError):
        return Status()


def read_settings(folder: Path) -> Settings:
    """What clients requested; the defaults where nothing was, or where it cannot be read."""
    try:
        return check_settings(folder)
    except UserError:
        return Settings()


def check_settings(folder: Path) -> Settings:
    """What clients requested. Raises `UserError` where the file is damaged."""
    try:
        return read_json(folder / layout.SETTINGS, Settings, "settings (mend or remove them)")
    except FileNotFoundError:
        return Settings()


def notify(folder: Path) -> None:
    """Count up the change counter, so that supervisor and readers scan the folder soon."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        fd = open_regular(folder / layout.CHANGE_COUNTER, flags)
        try:
            os.write(fd, b".")
        finally:
            os.close(fd)


def renew_change_counter(folder: Path) -> None:
    """Start the change counter at 0 where it has become large, or is no regular file.

    Otherwise it goes on: counted from 0, it may come to be what a reader has seen before.
    Raises `OSError`.
    """
    counter = folder / layout.CHANGE_COUNTER
    try:
        status = counter.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_CHANGE_COUNTER:
        counter.unlink()


def change_count(folder: Path) -> int:
    """The change counter; a scan is due when it differs from the one before."""
    try:
        return (folder / layout.CHANGE_COUNTER).stat().st_size
    except OSError:
        return 0


def has_space(folder: Path) -> bool:
    """Whether the folder's file system has bytes and inodes left; nothing is written."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return True
    # A file system that makes inodes as it needs them counts none.
    has_inodes = space.f_files == 0 or space.f_favail > 0
    return has_inodes and space.f_bavail * space.f_frsize >= LOW_SPACE_BYTES


def has_room(folder: Path) -> bool:
    """Whether a little can be written to the folder's file system."""
    fd = -1
    try:
        fd, name = tempfile.mkstemp(prefix=DRAFT_PREFIX, dir=folder)
        Path(name).unlink()
        os.write(fd, bytes(1 << 16))
        os.fdatasync(fd)
        return os.fstat(fd).st_size == 1 << 16
    except OSError:
        return False
    finally:
        if fd >= 0:
            os.close(fd)
