"""How runs stand, on standard error: bars on a terminal, one line per run without."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from postertui.cli.streams import print_message, styled
from postertui.runs.lifecycle import CLOSED_STATES
from postertui.system.text import strip_control_chars

if TYPE_CHECKING:
    from postertui.runs.lifecycle import State
    from postertui.runs.store import Run


class View(Protocol):
    """Shows how the watched runs stand.

    `note` says why none of them goes on, None where nothing is in the way; `remaining` is in
    seconds, None where unknown.
    """

    def show(self, runs: Sequence[Run], note: str | None, remaining: float | None) -> None: ...


@contextmanager
def open_view(total: int) -> Iterator[View]:
    """Bars where standard error is a terminal, else lines; `total` is how many runs there are."""
    if sys.stderr.isatty():
        with RunBars() as bars:
            yield bars
    else:
        yield RunLines(total)


class RunLines:
    """A line for each run that starts or ends, and for feature extraction every tenth."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown_states: dict[str, State] = {}
        self._shown_tenths: dict[tuple[str, object], int] = {}
        self._note: str | None = None

    def show(self, runs: Sequence[Run], note: str | None, remaining: float | None) -> None:
        if note != self._note:
            self._note = note
            print_message(f"Waiting: {note}" if note else "Going on.")
        done = sum(r.state in CLOSED_STATES for r in runs)
        for run in runs:
            self._print_features(run)
            if self._shown_states.get(run.name) == run.state:
                continue
            self._shown_states[run.name] = run.state
            if run.state in CLOSED_STATES:
                reason = f": {strip_control_chars(run.reason)}" if run.reason else ""
                print_message(
                    f"[{done}/{self._total}] {run.state:<9} {run.name}  {newest_f(run)}{reason}"
                )
            elif run.state == "running":
                print_message(f"[{done}/{self._total}] started   {run.name}")

    def _print_features(self, run: Run) -> None:
        event = run.features
        if run.state != "running" or run.epoch or not event:
            return
        done, total = event.get("done", 0), event.get("total", 0) or 1
        key, tenth = (run.name, event.get("cohort")), int(10 * done / total)
        if self._shown_tenths.get(key, 0) < tenth:
            self._shown_tenths[key] = tenth
            print_message(f"features of cohort {event.get('cohort')}: {done} of {total} posters")


class RunBars:
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

    def show(self, runs: Sequence[Run], note: str | None, remaining: float | None) -> None:
        running = [r for r in runs if r.state == "running"]
        done = sum(r.state in CLOSED_STATES for r in runs)
        waiting = len(runs) - done - len(running)
        parts = [f"{len(running)} running, {waiting} waiting"]
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


def newest_f(run: Run) -> str:
    """The newest test F and its bar, the always-yes dummy: `F .412 (yes .336)`."""
    score = run.newest("test_fscore_soft")
    text = "F -" if score is None else f"F {score:.3f}"
    rate = run.spec.test_base_rate if run.spec else None
    if rate:
        from postertui.data.base_rates import always_yes_f

        text += f" (always-yes {always_yes_f(rate):.3f})"
    return text


def format_seconds(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
