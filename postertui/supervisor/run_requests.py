"""Requests of clients for runs: cancel, retry, priority, pause.

Each request is idempotent, works whether or not a supervisor runs, and is safe to repeat after a
crash. Run names are checked: one that is no run's name raises `UserError`. What is asked of a run
is asked of all runs that are trained together with it, and the outcomes name them too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Literal

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import RunLifecycle, read_lifecycle
from postertui.runs.lock import is_locked
from postertui.runs.run_names import run_folder
from postertui.runs.spec import read_spec
from postertui.runs.transitions import CANCELLED, NewEvent, append_under_lock
from postertui.supervisor.folder import notify
from postertui.supervisor.probe import is_paused, read_priority
from postertui.supervisor.units import with_groups
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import UnusableFileError, touch_regular
from postertui.system.sharing import os_errors_explained

#: What became of a request for one run. `requested`: its job will act on it.
#: `external`: a program of its own trains the run, and only that can start it.
#: `newer`: a newer version of postertui made the run, which has to do it.
RequestOutcome = Literal[
    "done", "requested", "unchanged", "damaged", "newer", "missing", "external", "denied"
]


def cancel(folder: Path, runs: Iterable[str]) -> dict[str, RequestOutcome]:
    """End these runs. Queued ones never start; running ones end within an epoch or 10 s.

    Parameters
    ----------
    folder
        The runs folder.
    runs
        Names of runs; the other requests for runs take the same.

    Returns
    -------
    dict
        What became of the request, by run: also for runs that are trained together with one.

    Raises
    ------
    UserError
        Where a name is no run's name; and, once the other runs have been dealt with, where the
        files of one cannot be written.
    """
    return _each(folder, runs, partial(_cancel, time.time()))


def retry(folder: Path, runs: Iterable[str]) -> dict[str, RequestOutcome]:
    """Queue these runs again where they failed, were cancelled or interrupted.

    What earlier attempts wrote stays. Call `ensure_supervisor` afterwards.
    """
    return _each(folder, runs, _retry)


def set_priority(folder: Path, runs: Iterable[str], priority: int) -> dict[str, RequestOutcome]:
    """Train these runs earlier (above 0) or later (below 0) than others; 0 is the default."""

    def write(path: Path) -> RequestOutcome:
        if priority:
            write_atomic(path / layout.PRIORITY, b"%d\n" % priority)
        else:
            (path / layout.PRIORITY).unlink(missing_ok=True)
        return "done"

    return _each(folder, runs, write)


def priority(folder: Path, run: str) -> int:
    """The run's priority."""
    return read_priority(run_folder(folder, run))


def pause_runs(folder: Path, runs: Iterable[str]) -> dict[str, RequestOutcome]:
    """Make these runs wait. Those that are being trained stop after their epoch."""

    def request(path: Path) -> RequestOutcome:
        if _is_external(path):
            return "external"
        if read_lifecycle(path).is_closed or is_paused(path):
            return "unchanged"
        is_trained = is_locked(path)
        touch_regular(path / layout.PAUSED)
        return "requested" if is_trained else "done"

    return _each(folder, runs, request)


def resume_runs(folder: Path, runs: Iterable[str]) -> dict[str, RequestOutcome]:
    """Take back `pause_runs`. Call `ensure_supervisor` afterwards."""

    def request(path: Path) -> RequestOutcome:
        if _is_external(path):
            return "external"
        if not is_paused(path):
            return "unchanged"
        (path / layout.PAUSED).unlink(missing_ok=True)
        return "done"

    return _each(folder, runs, request)


def _each(
    folder: Path, runs: Iterable[str], request: Callable[[Path], RequestOutcome]
) -> dict[str, RequestOutcome]:
    outcomes: dict[str, RequestOutcome] = {}
    problems: list[UserError] = []
    for run in with_groups(folder, runs):
        path = run_folder(folder, run)
        if path.is_symlink() or not path.is_dir():
            outcomes[run] = "missing"
            continue
        try:
            with os_errors_explained(path):
                outcomes[run] = _outcome(path, request)
        except UserError as error:
            # The other runs first: one that cannot be written keeps none of them waiting.
            problems.append(error)
    notify(folder)
    if problems:
        raise problems[0]
    return outcomes


def _outcome(path: Path, request: Callable[[Path], RequestOutcome]) -> RequestOutcome:
    try:
        return request(path)
    except DamagedEventsError as error:
        return "newer" if error.is_newer else "damaged"
    except (UnusableFileError, IsADirectoryError):
        return "damaged"
    except PermissionError:
        return "denied"
    except FileNotFoundError:
        if path.is_dir():
            raise
        return "missing"


def _cancel(began: float, path: Path) -> RequestOutcome:
    earlier_statuses: list[str | None] = []

    def end(lifecycle: RunLifecycle) -> NewEvent | None:
        if lifecycle.is_closed:
            earlier_statuses.append(lifecycle.status)
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
    return "done" if appended or earlier_statuses == ["cancelled"] else "unchanged"


def _retry(path: Path) -> RequestOutcome:
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
    """Whether a program of its own trains the run; False for a run that cannot be read."""
    try:
        return read_spec(path).is_external
    except UserError:
        return False
