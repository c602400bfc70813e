"""The end of a run whose job is gone and could not write one."""

from __future__ import annotations

import os
from pathlib import Path

from postertui.runs import layout
from postertui.runs.lifecycle import RunLifecycle, machine_restarted
from postertui.runs.transitions import CANCELLED, NewEvent, append_under_lock
from postertui.system.regular_files import open_regular
from postertui.system.text import strip_control_chars

#: A run that was lost this often since it was asked for is failed.
MAX_ATTEMPTS = 3

#: How many lines of the log go with the end of a run that failed, out of how many bytes.
LOG_LINES, LOG_BYTES = 20, 16_384


def record_lost_run(
    run_folder: Path, reason: str, *, fault: bool = True, silent: bool = False
) -> bool | None:
    """Write the end that a run's job could not: interrupted, or failed after three losses.

    A run that has an end is left as it is. Returns and raises what `append_under_lock` does.

    Parameters
    ----------
    run_folder
        The run.
    reason
        Why its job is gone.
    fault
        Whether the loss counts towards the three; not where the job was stopped on request.
    silent
        Whether the job was gone before it could append its start. That counts too, or such a run
        would be tried for ever.
    """

    def decide(lifecycle: RunLifecycle) -> NewEvent | None:
        if lifecycle.is_closed or not (lifecycle.is_started or silent):
            return None
        if (run_folder / layout.CANCEL).exists():
            return CANCELLED
        if lifecycle.is_started and machine_restarted(lifecycle.start):
            return _interrupted("the machine was restarted", fault=False)
        losses = lifecycle.faults + 1
        if not fault or losses < MAX_ATTEMPTS:
            return _interrupted(reason, fault=fault)
        return "end", {
            "status": "failed",
            "reason": f"lost {losses} times, at last: {reason}; "
            f"see `postertui log {run_folder.name}`",
            "fault": True,
            "log": log_tail(run_folder / layout.LOG),
        }

    return append_under_lock(run_folder, decide)


def _interrupted(reason: str, *, fault: bool) -> NewEvent:
    return "end", {"status": "interrupted", "reason": reason, "fault": fault}


def log_tail(path: Path) -> list[str]:
    """The last lines of a log without control characters, each at most 300 characters."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except OSError:
        return []
    with os.fdopen(fd, "rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_BYTES))
        text = file.read().decode("utf-8", "replace")
    return [line[:300] for line in strip_control_chars(text).splitlines()[-LOG_LINES:]]
