"""Following runs in the foreground until all have their end, or Ctrl-C."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from postertui.cli.options import print_json
from postertui.cli.progress_views import View, open_view
from postertui.cli.streams import print_message
from postertui.runs import layout
from postertui.runs.lifecycle import CLOSED_STATES
from postertui.supervisor import requests
from postertui.supervisor.durations import Durations
from postertui.supervisor.remaining import estimate
from postertui.supervisor.run_progress import progress_of
from postertui.system.errors import UserError
from postertui.system.text import pluralize, strip_control_chars

if TYPE_CHECKING:
    from postertui.runs.lifecycle import State
    from postertui.runs.store import Run, Store
    from postertui.supervisor.plan import TrainingPlan

#: Seconds between two looks at the runs folder.
INTERVAL = 0.3

#: Seconds for which an estimate of what remains is shown before it is made again.
OUTLOOK_AGE = 1.0

#: How often in a row a supervisor is started that ends without any run having changed.
MAX_STARTS = 3


class InterruptedByUserError(Exception):
    """Ctrl-C or SIGTERM."""


def follow(
    store: Store,
    names: Sequence[str],
    plan: TrainingPlan,
    *,
    started: bool,
    as_json: bool,
    keep: bool = False,
) -> int:
    """Show runs until all have their end; the command's exit code.

    A supervisor that dies is started again.

    Parameters
    ----------
    store
        The runs folder.
    names
        The runs to wait for.
    plan
        Whose runs decide on the exit code: 1 unless all are done.
    started
        Whether this command has started the supervisor: Ctrl-C stops it then, and otherwise only
        the watching.
    as_json
        Whether to print the plan's runs as JSON at the end.
    keep
        Whether a supervisor that is started again is a child of this process.

    Raises
    ------
    UserError
        Where the supervisor ends at once, again and again.
    """
    names = [name for name in names if name in store.runs or (store.folder / name).is_dir()]
    try:
        with _interruptible(), open_view(len(names)) as view:
            _watch(store, names, view, keep=keep)
    except InterruptedByUserError:
        return _stop_watching(store, names, started=started)
    ended = Counter(store.runs[n].state for n in names if n in store.runs)
    _print_summary(store, names, ended)
    if as_json:
        records = [store.runs[n].record() for n in plan.runs if n in store.runs]
        print_json(records)
    states = {store.runs[name].state for name in plan.runs if name in store.runs}
    return 1 if states - {"done"} else 0


def _watch(store: Store, names: Sequence[str], view: View, *, keep: bool) -> None:
    watched = set(names)
    starts = 0
    outlook = Outlook()
    while True:
        changed = store.refresh()
        if changed & watched:
            starts = 0
        runs = [store.runs[n] for n in names if n in store.runs]
        unfinished = [r for r in runs if r.state not in CLOSED_STATES]
        open_runs = store.waiting_runs
        status = requests.status(store.folder, open_runs=open_runs)
        remaining = outlook.remaining(runs, store.runs.values(), status.slots)
        view.show(runs, status.waiting, remaining)
        if all(r.held and r.state != "running" for r in unfinished):
            return
        if not status.running and not requests.is_queue_paused(store.folder):
            if starts == MAX_STARTS:
                raise UserError(
                    f"{store.folder}: the supervisor ends at once, again and again; "
                    f"{store.folder / layout.SUPERVISOR_LOG} may say why",
                    exit_code=1,
                )
            starts += requests.ensure_supervisor(store.folder, keep=keep)
        time.sleep(INTERVAL)


def _stop_watching(store: Store, names: Sequence[str], *, started: bool) -> int:
    if not started:
        print_message(
            "No longer watching; the runs go on. `postertui pause` starts no further ones."
        )
        return 130
    print_message("Stopping; the epochs in progress are dropped …")
    stopped = requests.stop_supervisor(store.folder)
    store.refresh()
    unfinished = [n for n in names if n in store.runs and store.runs[n].state not in CLOSED_STATES]
    if not stopped:
        print_message("The supervisor still has something to finish; it ends by itself.")
    print_message(f"{len(unfinished)} of {len(names)} runs unfinished:")
    for name in unfinished[:10]:
        run = store.runs[name]
        total = run.spec.variant.epochs if run.spec else "?"
        print_message(f"  {name}  {run.state}, {run.epoch} of {total} epochs")
    if len(unfinished) > 10:
        print_message(f"  … and {len(unfinished) - 10} more (`postertui runs`)")
    print_message("The same command goes on from there.")
    return 130


def _print_summary(store: Store, names: Sequence[str], ended: Counter[State]) -> None:
    parts = ", ".join(f"{count} {state}" for state, count in ended.most_common())
    print_message(f"Trained {pluralize(len(names), 'run')}: {parts}.")
    for name in names:
        run = store.runs.get(name)
        if run is not None and run.state != "done":
            reason = (
                "`postertui resume RUN` releases it"
                if run.held
                else strip_control_chars(run.reason or "")
            )
            print_message(f"  {name}  {run.standing}: {reason}")


@contextmanager
def _interruptible() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in handlers:
            # A second one, while the first is dealt with, must not cut the stopping short.
            signal.signal(each, signal.SIG_IGN)
        raise InterruptedByUserError

    handlers = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedByUserError from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_IGN if sys.exc_info()[0] else handler)


class Outlook:
    """Estimates how long runs still take, again after `OUTLOOK_AGE` seconds."""

    def __init__(self) -> None:
        self._estimated = -math.inf
        self._seconds: float | None = None

    def remaining(self, runs: Sequence[Run], past: Iterable[Run], jobs: int) -> float | None:
        """Seconds until `runs` have their ends, by what `past` runs took; None where unknown."""
        now = time.monotonic()
        if now - self._estimated > OUTLOOK_AGE:
            durations = Durations(progress_of(run) for run in past)
            progress = [progress_of(run) for run in runs]
            jobs = jobs or sum(run.is_running for run in progress) or 1
            self._seconds = estimate(progress, durations, jobs, time.time())
            self._estimated = now
        return self._seconds
