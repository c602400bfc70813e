"""A run that is read for the first time, or what keeps it from being read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from postertui.runs import layout
from postertui.runs.run_names import is_run_name
from postertui.runs.spec import NewerSpecError, RunSpec, UnreadSpecError, read_spec
from postertui.runs.store.run import Run
from postertui.system.errors import UserError
from postertui.system.sharing import explain_denied


def read_new_run(folder: Path, name: str, parse: Callable[[bytes], RunSpec]) -> Run:
    """The run called `name` below `folder` by its `run.json`, without its events.

    `parse` makes a spec of the file's content. What is wrong is in the run's `damage`.
    Raises `OSError` where the system failed to read it.
    """
    if not is_run_name(name):
        return Run(name, None, damage=f"{name[:80]!r} is not a run's name")
    try:
        return Run(name, read_spec(f"{folder}/{name}", parse))
    except UnreadSpecError as error:
        raise error.cause from None
    except UserError as error:
        is_newer = isinstance(error, NewerSpecError)
        run = Run(name, None, damage=str(error), is_newer=is_newer)
        explain_denied_run(folder, run)
        return run


def explain_denied_run(folder: Path, run: Run) -> None:
    """Tell a run that is another account's from one that is damaged."""
    run_folder = folder / run.name
    for path in (run_folder, run_folder / layout.SPEC, run_folder / layout.EVENTS):
        if reason := explain_denied(path):
            run.damage, run.is_unreadable = reason, True
            return
