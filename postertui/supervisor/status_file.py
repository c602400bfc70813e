"""What the supervisor writes about itself, for display."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend
from postertui.supervisor.job_settings import job_settings
from postertui.system.atomic_files import write_atomic
from postertui.system.processes import Process


class StatusFile:
    """The `Status` of this process as the supervisor of `folder`, written where it has changed."""

    def __init__(self, folder: Path, backend: Backend) -> None:
        self._folder = folder
        self._backend = backend
        self._process = Process.current()
        self._job_settings = job_settings(files.read_settings(folder).device)
        self._written: files.Status | None = None

    def write(
        self,
        *,
        queued: int,
        is_paused: bool,
        hindrance: str | None,
        failure: str | None,
        ended: bool,
    ) -> None:
        """Write what is done now; `hindrance` is why no run is started. Never raises `OSError`."""
        waiting = self._backend.blocking_reason()
        if is_paused:
            waiting = files.PAUSED_MESSAGE
        elif hindrance is not None:
            waiting = files.waiting_message(hindrance)
        status = files.Status(
            running=not ended,
            process=self._process,
            jobs=tuple(
                files.JobStatus(a.pid, a.device, a.run, a.memory)
                for a in self._backend.assignments()
            ),
            slots=self._backend.slot_count(),
            queued=queued,
            waiting=waiting,
            warning=self._backend.warning(),
            job_settings=self._job_settings,
            memory=self._backend.memory(),
            failure=failure,
        )
        if status == self._written:
            return
        # It is only displayed, and on a full disk clients find out by themselves.
        with contextlib.suppress(OSError):
            data = msgspec.json.format(msgspec.json.encode(status)) + b"\n"
            write_atomic(self._folder / layout.SUPERVISOR_STATUS, data)
            self._written = status
