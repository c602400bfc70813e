"""Following runs in the foreground: bars on a terminal, one line per run without."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol, Self

from postertui.cli.options import print_json
from postertui.cli.streams import say, styled
from postertui.runs import layout
from postertui.runs.lifecycle import CLOSED_STATES
from postertui.supervisor import requests
from postertui.supervisor.remaining import Durations, estimate
from postertui.supervisor.run_progress import progress_of
from postertui.system.errors import UserError
from postertui.system.text import pluralize, strip_control_chars

if TYPE_CHECKING:
    from postertui.runs.lifecycle import State
    from postertui.runs.store import Run, Store
    from postertui.supervisor.plan import TrainingPlan

#: Seconds between two looks at the runs folder.
INTERVAL = 0.3

#: So many seconds an estimate of what remains is shown before it is made again.
OUTLOOK_AGE = 1.0

#: So often in a row is a supervisor started that ends without anything having happened.
MOST_STARTS = 3


class View(Protocol):
    """Shows how the watched runs stand."""

    def show(
        self,
        runs: Sequence[Run],
        changed: set[str],
        note: str | None,
        remaining: float | None,
    ) -> None: ...


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
    """Show the runs `names` until all have their end; the command's exit code.

    Ctrl-C stops the supervisor where this command has `started` it; otherwise it only stops
    watching. A supervisor that dies is started again; `keep`: as a child of this process.
    """
    names = [name for name in names if name in store.runs or (store.folder / name).is_dir()]
    try:
        with _interruptible(), _view(len(names)) as view:
            _watch(store, names, view, keep=keep)
    except InterruptedByUserError:
        return _stop(store, names, started=started)
    ended = Counter(store.runs[n].state for n in names if n in store.runs)
    _summary(store, names, ended)
    if as_json:
        records = [store.runs[n].record() for n in plan.runs if n in store.runs]
        print_json(records)
    unwell = any(s.run in store.runs and store.runs[s.run].state != "done" for s in plan.specs)
    return 1 if unwell else 0


def _watch(store: Store, names: Sequence[str], view: View, *, keep: bool) -> None:
    wanted = set(names)
    starts = 0
    outlook = Outlook()
    while True:
        changed = store.refresh()
        if changed & wanted:
            starts = 0
        runs = [store.runs[n] for n in names if n in store.runs]
        unfinished = [r for r in runs if r.state not in CLOSED_STATES]
        open_runs = sum(run.is_waiting for run in store.runs.values())
        status = requests.status(store.folder, open_runs=open_runs)
        remaining = outlook.remaining(runs, store.runs.values(), status.slots)
        view.show(runs, changed & wanted, status.waiting, remaining)
        if all(r.held and r.state != "running" for r in unfinished):
            return
        if not status.running and not requests.is_queue_paused(store.folder):
            if starts == MOST_STARTS:
                raise UserError(
                    f"{store.folder}: the supervisor ends at once, again and again; "
                    f"{store.folder / layout.SUPERVISOR_LOG} may say why",
                    exit_code=1,
                )
            starts += requests.ensure_supervisor(store.folder, keep=keep)
        time.sleep(INTERVAL)


def _stop(store: Store, names: Sequence[str], *, started: bool) -> int:
    if not started:
        say("No longer watching; the runs go on. `postertui pause` starts no further ones.")
        return 130
    say("Stopping; the epochs in progress are dropped …")
    stopped = requests.stop_supervisor(store.folder)
    store.refresh()
    unfinished = [n for n in names if n in store.runs and store.runs[n].state not in CLOSED_STATES]
    if not stopped:
        say("The supervisor still has something to finish; it ends by itself.")
    say(f"{len(unfinished)} of {len(names)} runs unfinished:")
    for name in unfinished[:10]:
        run = store.runs[name]
        of = run.spec.variant.epochs if run.spec else "?"
        say(f"  {name}  {run.state}, {run.epoch} of {of} epochs")
    if len(unfinished) > 10:
        say(f"  … and {len(unfinished) - 10} more (`postertui runs`)")
    say("The same command goes on from there.")
    return 130


def _summary(store: Store, names: Sequence[str], ended: Counter[State]) -> None:
    parts = ", ".join(f"{count} {state}" for state, count in ended.most_common())
    say(f"Trained {pluralize(len(names), 'run')}: {parts}.")
    for name in names:
        run = store.runs.get(name)
        if run is not None and run.state != "done":
            why = (
                "`postertui resume RUN` releases it"
                if run.held
                else strip_control_chars(run.reason or "")
            )
            say(f"  {name}  {run.standing}: {why}")


@contextmanager
def _interruptible() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in before:
            # A second one, while the first is dealt with, must not cut the stopping short.
            signal.signal(each, signal.SIG_IGN)
        raise InterruptedByUserError

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedByUserError from None
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if sys.exc_info()[0] else handler)


@contextmanager
def _view(total: int) -> Iterator[View]:
    if sys.stderr.isatty():
        with _Bars() as bars:
            yield bars
    else:
        yield _Lines(total)


def newest_f(run: Run) -> str:
    """The newest test F and its bar, the always-yes dummy: `F .412 (yes .336)`."""
    score = run.newest("test_fscore_soft")
    text = "F -" if score is None else f"F {score:.3f}"
    rate = run.spec.test_base_rate if run.spec else None
    if rate:
        from postertui.data.base_rates import always_yes_f

        text += f" (always-yes {always_yes_f(rate):.3f})"
    return text


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


class _Lines:
    """A line for each run that starts or ends, and for feature extraction every tenth."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._told: dict[str, str] = {}
        self._features: dict[tuple[str, object], int] = {}
        self._note: str | None = None

    def show(
        self,
        runs: Sequence[Run],
        changed: set[str],
        note: str | None,
        remaining: float | None,
    ) -> None:
        if note != self._note:
            self._note = note
            say(f"Waiting: {note}" if note else "Going on.")
        done = sum(r.state in CLOSED_STATES for r in runs)
        for run in runs:
            self._tell_features(run)
            if self._told.get(run.name) == run.state:
                continue
            self._told[run.name] = run.state
            if run.state in CLOSED_STATES:
                why = f": {strip_control_chars(run.reason)}" if run.reason else ""
                say(f"[{done}/{self._total}] {run.state:<9} {run.name}  {newest_f(run)}{why}")
            elif run.state == "running":
                say(f"[{done}/{self._total}] started   {run.name}")

    def _tell_features(self, run: Run) -> None:
        event = run.features
        if run.state != "running" or run.epoch or not event:
            return
        done, total = event.get("done", 0), event.get("total", 0) or 1
        key, tenth = (run.name, event.get("cohort")), int(10 * done / total)
        if self._features.get(key, 0) < tenth:
            self._features[key] = tenth
            say(f"features of cohort {event.get('cohort')}: {done} of {total} posters")


class _Bars:
    """Bars on a terminal: all runs together, and each that is trained now."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=styled(sys.stderr)),
            refresh_per_second=4,
            transient=False,
        )
        self._all = self._progress.add_task("runs", total=None, note="")
        self._tasks: dict[str, object] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for task in self._tasks.values():
            self._progress.remove_task(task)  # type: ignore[arg-type]
        self._progress.stop()

    def show(
        self,
        runs: Sequence[Run],
        changed: set[str],
        note: str | None,
        remaining: float | None,
    ) -> None:
        running = [r for r in runs if r.state == "running"]
        done = sum(r.state in CLOSED_STATES for r in runs)
        waiting = len(runs) - done - len(running)
        parts = [f"{len(running)} running, {waiting} left"]
        if remaining and done < len(runs):
            parts.append(f"{format_seconds(remaining)} to go")
        if note:
            parts.append(note)
        self._progress.update(self._all, total=len(runs), completed=done, note=" · ".join(parts))
        for name in self._tasks.keys() - {r.name for r in running}:
            self._progress.remove_task(self._tasks.pop(name))  # type: ignore[arg-type]
        for run in running:
            self._show_run(run)

    def _show_run(self, run: Run) -> None:
        spec = run.spec
        if spec is None:
            return
        if run.name not in self._tasks:
            label = strip_control_chars(f"{spec.genre} {spec.variant.name} seed {spec.seed}")[:36]
            self._tasks[run.name] = self._progress.add_task(label, total=None, note="")
        completed, total, note = run.epoch, spec.variant.epochs, newest_f(run)
        if not run.epoch:
            note = "preparing"
            if run.features:
                completed = run.features.get("done", 0)
                total = run.features.get("total", 0)
                note = f"features of cohort {run.features.get('cohort')}"
        self._progress.update(
            self._tasks[run.name],  # type: ignore[arg-type]
            completed=completed,
            total=total,
            note=note,
        )


def format_seconds(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
