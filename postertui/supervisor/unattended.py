"""Why a queue has no supervisor, in the words that every command and the dashboard use."""

from __future__ import annotations

import socket
from pathlib import Path

from postertui.runs.lock import is_locked
from postertui.runs.run_names import is_run_name
from postertui.supervisor.folder import Status
from postertui.system.processes import boot_id
from postertui.system.text import pluralize


def unattended_message(folder: Path, last: Status, open_runs: int | None = None) -> str | None:
    """What to show where no supervisor is at work; None where no run waits for one.

    Parameters
    ----------
    folder
        The runs folder, whose supervisor lock is not held.
    last
        What the last supervisor wrote about itself.
    open_runs
        How many runs are queued or interrupted, by a caller that has read them; without it, as
        many as the last supervisor left behind.
    """
    if open_runs is None:
        left_by_jobs = [job.run for job in last.jobs if last.running and job.run is not None]
        open_runs = last.queued + sum(_is_lost(folder, run) for run in left_by_jobs)
    if not open_runs:
        return None
    verb = "waits" if open_runs == 1 else "wait"
    return (
        f"{pluralize(open_runs, 'run')} {verb} and no supervisor is at work"
        f"{_reason(last)}; `postertui resume` goes on"
    )


def _is_lost(folder: Path, run: str) -> bool:
    """Whether `run`, which a job had, is there and no job works on it any more."""
    try:
        return is_run_name(run) and not is_locked(folder / run)
    except OSError:
        return False


def _reason(last: Status) -> str:
    """Why the last supervisor is gone, as far as it is known."""
    if last.failure:
        return f" (it failed: {last.failure})"
    process = last.process
    if process is None:
        return ""
    if process.host != socket.gethostname():
        return f" (the last one was on {process.host})"
    if process.boot != boot_id():
        return " (the machine was restarted)"
    return " (it was killed)" if last.running else " (it was stopped)"
