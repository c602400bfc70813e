"""What `postertui doctor` checks: versions, devices, weights, data, and the runs folder.

Each check is a function that yields `Finding`s and never raises for what it checks. `repair` moves
what is damaged into `runs/.damaged`, where nothing reads it, and deletes nothing of a run.

- `machine`: versions, devices and weights
- `folders`: the data folder, and whether the runs folder can be worked in
- `runs`: the supervisor and its jobs, damaged runs, what a crash left
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from postertui.doctor.folders import check_data, check_folder
from postertui.doctor.machine import check_devices, check_session, check_versions, check_weights
from postertui.doctor.runs import check_leftovers, check_processes, check_runs
from postertui.system.finding import Finding, Status
from postertui.system.sharing import describe_os_error

__all__ = ["Finding", "Status", "examine"]


def examine(runs: Path, data: Path, *, repair: bool = False) -> Iterator[Finding]:
    """All findings, as they come.

    Parameters
    ----------
    runs, data
        The runs folder and the data folder; neither need exist.
    repair
        Whether what is damaged in `runs` is moved aside.
    """
    yield from check_versions()
    yield from check_devices()
    yield from check_session()
    yield from check_weights()
    yield from check_data(data)
    yield from check_folder(runs)
    if runs.is_dir():
        from postertui.runs.store import Store

        store = Store(runs, cache=False)
        try:
            store.refresh()
        except OSError as error:
            yield Finding("runs", "wrong", describe_os_error(error, runs), "mend its mode")
            return
        yield from check_processes(store, repair=repair)
        yield from check_runs(store, repair=repair)
        yield from check_leftovers(runs, repair=repair)
