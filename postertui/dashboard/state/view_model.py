"""The state behind the screens: all runs, the filter, and what follows from both."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from postertui.dashboard.monitoring.machine_monitor import Machine
from postertui.dashboard.state.arrangement import Arrangement, arrange, compared_value
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.delta_basis import DeltaBasis
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.metrics import LOWER_IS_BETTER
from postertui.dashboard.state.pace import PaceMeter
from postertui.dashboard.state.run_control import describe_first
from postertui.dashboard.state.run_states import RunStates
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE, Difference, Margin, StudySummary
from postertui.dashboard.state.view_options import ViewOptions
from postertui.filters import FIELDS, Filter, FilterError, parse
from postertui.system.text import pluralize, to_single_line


@dataclass
class ViewModel:
    """Runs by name, and in `shown` those that the filter and the checklists let through.

    Pinned runs are always shown. `states` are those of all runs. `machine` is None until the
    supervisor has been looked at.
    """

    options: ViewOptions = field(default_factory=ViewOptions)
    runs: dict[str, RunView] = field(default_factory=dict)
    shown: dict[str, RunView] = field(default_factory=dict)
    states: RunStates = field(default_factory=RunStates)
    arrangement: Arrangement = field(default_factory=Arrangement)
    pinned: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    filter_error: str = ""
    assessments: dict[str, Assessment] = field(default_factory=dict)
    summary: StudySummary = field(default_factory=StudySummary)
    machine: Machine | None = None
    pace: PaceMeter = field(default_factory=PaceMeter)
    loaded: bool = False
    _filter: Filter = field(default_factory=lambda: parse(""))
    _completions: dict[str, set[str]] | None = None
    _reference_runs: dict[str, list[str]] | None = None

    def update(self, updates: RunUpdates) -> bool:
        """Bring the runs up to date; whether the grid's cells or the table's rows changed.

        Otherwise only the contents of `updates.changed` did.
        """
        structural = not self.loaded or bool(updates.removed & self.runs.keys())
        self.loaded = True
        self._completions = None
        self.pace.record(self._new_epochs(updates), time.monotonic())
        for name in updates.removed:
            self.states.replace(self.runs.pop(name, None), None)
            self.shown.pop(name, None)
            self.pinned.discard(name)
            self.marked.discard(name)
            self.assessments.pop(name, None)
        for name, view in updates.changed.items():
            old = self.runs.get(name)
            self.runs[name] = view
            self.states.replace(old, view)
            was_shown, is_shown = name in self.shown, self.is_shown(view)
            structural |= old is None or was_shown != is_shown or _place(old) != _place(view)
            if old is None or old.pinned != view.pinned:
                structural |= view.pinned != (name in self.pinned)
                (self.pinned.add if view.pinned else self.pinned.discard)(name)
                is_shown = self.is_shown(view)
            if is_shown:
                self.shown[name] = view
            else:
                self.shown.pop(name, None)
        if structural:
            self._reference_runs = None
            self.rearrange()
        return structural

    def _new_epochs(self, updates: RunUpdates) -> int:
        """How many epochs ended in runs that were there before."""
        return sum(
            max(0, run.epoch - old.epoch)
            for name, run in updates.changed.items()
            if (old := self.runs.get(name)) is not None
        )

    def is_shown(self, run: RunView) -> bool:
        if run.name in self.pinned:
            return True
        return not self._is_excluded(run) and self._filter.matches(run.record)

    def _is_excluded(self, run: RunView) -> bool:
        return any(getattr(run, name) in values for name, values in self.options.without.items())

    def set_filter(self, text: str, *, typing: bool = False) -> bool:
        """Apply the filter `text`; on a mistake keep the old one, and say so in `filter_error`.

        While its last word is being typed (`typing`) and lets nothing through as it is, the words
        before it are applied.
        """
        try:
            parsed = parse(text, {run.record["name"] for run in self.runs.values()})
        except FilterError as error:
            if typing and text.strip():
                return self.set_filter(_without_last_word(text))
            self.filter_error = to_single_line(str(error).removeprefix("filter: "))
            return False
        matching = {name for name, run in self.runs.items() if parsed.matches(run.record)}
        if typing and not matching:
            return self.set_filter(_without_last_word(text))
        self._filter = parsed
        self.filter_error = ""
        self.set_options(filter=text)
        self.shown = {
            name: run
            for name, run in self.runs.items()
            if name in self.pinned or (name in matching and not self._is_excluded(run))
        }
        self.rearrange()
        return True

    def exclude(self, field: str, values: tuple[str, ...]) -> None:
        """Leave out the runs whose `field` is one of `values`."""
        excluded = {**self.options.without, field: values}
        self.set_options(without={name: values for name, values in excluded.items() if values})
        self.select()

    def set_options(self, **changes: object) -> None:
        self.options = msgspec.structs.replace(self.options, **changes)

    def select(self) -> None:
        """Decide again which runs are shown."""
        self.shown = {name: run for name, run in self.runs.items() if self.is_shown(run)}
        self.rearrange()

    def rearrange(self) -> None:
        self.arrangement = arrange(self.shown.values(), self.options)

    def margin(self, run: RunView) -> Margin | None:
        """What is known of the run's F against its baseline: its own, or its variant's."""
        return self.summary.margin_of(run.name, run.genre, run.variant)

    def verdict(self, run: RunView) -> str:
        """The run's F against its baseline: `above`, `unclear`, `below`, or nothing."""
        margin = self.margin(run)
        return margin.verdict if margin is not None else ""

    def difference(self, genre: str, variant: str) -> Difference | None:
        """What is known of a variant's difference to the reference in a genre."""
        return self.summary.differences.get((genre, variant))

    def delta_basis(self, genre: str, runs: Iterable[RunView]) -> DeltaBasis:
        """The reference's runs of `genre`, and the noise of the difference of `runs` to them."""
        if self._reference_runs is None:
            self._reference_runs = {}
            for run in self.runs.values():
                if run.variant == REFERENCE:
                    self._reference_runs.setdefault(run.genre, []).append(run.name)
        names = self._reference_runs.get(genre, ())
        noises = [
            (d.high - d.low) / 2
            for variant in {run.variant for run in runs}
            if (d := self.difference(genre, variant)) is not None
            and d.low is not None
            and d.high is not None
        ]
        noise = statistics.median(noises) if noises else None
        return DeltaBasis(tuple(self.runs[name] for name in names), noise)

    def preferred_groups(self, current: RunView | None, genre: str | None = None) -> list[str]:
        """The compared values to set apart from the others, most important first.

        Those of the run under the cursor, of the reference, of the best run of the genre, and of
        the marked ones.
        """
        value_of = compared_value(self.options.compare)
        genre = current.genre if current is not None else genre
        runs = [run for run in self.shown.values() if genre in (None, run.genre)]
        pick = min if self.options.metric in LOWER_IS_BETTER else max
        valued = [(v, run) for run in runs if (v := self._value(run)) is not None]
        best = pick(valued, key=lambda pair: pair[0])[1] if valued else self._best_run(runs)
        reference = next((run for run in runs if run.variant == REFERENCE), None)
        chosen = (current, reference, best, *self.marked_runs)
        return list(dict.fromkeys(value_of(run) for run in chosen if run is not None))

    def _best_run(self, runs: Iterable[RunView]) -> RunView | None:
        """A run of the variant with the best mean difference over genres."""
        sign = -1 if self.options.metric in LOWER_IS_BETTER else 1
        variants = self.summary.variants
        best = max(variants, key=lambda v: sign * variants[v].difference, default=None)
        return next((run for run in runs if run.variant == best), None)

    def _value(self, run: RunView) -> float | None:
        """A run's value at the epoch of its verdict, or its newest one."""
        margin = self.margin(run)
        return margin.value if margin is not None else run.newest(self.options.metric)

    @property
    def has_finished_variants(self) -> bool:
        """Whether two variants have finished runs, so that there is something to compare."""
        return len({run.variant for run in self.runs.values() if run.state == "done"}) > 1

    def describe_runs(self, names: Sequence[str]) -> str:
        """The runs in words: the first by genre and variant, and how many more.

        A single run of a variant that has several seeds in the genre is named by its seed, too.
        """
        first = self.runs.get(names[0]) if names else None
        if first is None:
            return pluralize(len(names), "run")
        if len(names) > 1:
            return describe_first(first.genre, first.variant, len(names))
        setting = (first.genre, first.variant)
        seeds = {run.seed for run in self.runs.values() if (run.genre, run.variant) == setting}
        seed = f" seed {first.seed}" if len(seeds) > 1 else ""
        return describe_first(first.genre, f"{first.variant}{seed}", 1)

    def with_groups(self, runs: Iterable[RunView]) -> list[RunView]:
        """`runs` and those that are trained together with one of them."""
        chosen = {run.name: run for run in runs}
        if units := {run.unit for run in chosen.values() if run.unit}:
            chosen |= {name: run for name, run in self.runs.items() if run.unit in units}
        return list(chosen.values())

    @property
    def marked_runs(self) -> list[RunView]:
        return [run for name in self.marked if (run := self.runs.get(name)) is not None]

    @property
    def is_paused(self) -> bool:
        """Whether the queue starts no further run."""
        return self.machine is not None and self.machine.paused

    @property
    def idle_message(self) -> str:
        """That runs wait and no supervisor works on them, in the words of every command."""
        if self.machine is None or self.machine.status.running or self.machine.paused:
            return ""
        return self.machine.status.waiting or ""

    @property
    def failed_runs(self) -> list[RunView]:
        """The failed runs, the newest failure last."""
        return sorted(self.states.failed_runs.values(), key=lambda run: run.changed)

    def outlook(self) -> tuple[float | None, float | None]:
        """Seconds until the queue is empty, and epochs a second; None where unknown."""
        status = self.machine.status if self.machine is not None else None
        slots = status.slots if status is not None and status.running else 0
        jobs = slots or self.states.count_running() or 1
        remaining = self.pace.remaining(self.states.open_runs, self.runs, jobs)
        return remaining, self.pace.rate(time.monotonic())

    def remaining(self, run: RunView) -> float | None:
        """Seconds of work until `run` is done; None where it is not open or nothing is known."""
        return self.pace.remaining_of(run, self.runs)

    def completions(self) -> dict[str, set[str]]:
        """The values that occur, by field of the filter language."""
        if self._completions is None:
            self._completions = self._collect_completions()
        return self._completions

    def _collect_completions(self) -> dict[str, set[str]]:
        texts = ("genre", "variant", "name", "family", "state", "study", "regularizer", "device")
        values: dict[str, set[str]] = {}
        for name in texts:
            if name in FIELDS:
                values_present = {run.record.get(name) for run in self.runs.values()}
                values[name] = {to_single_line(value) for value in values_present if value}
        values["tag"] = {tag for run in self.runs.values() for tag in run.tags}
        values["dead"] = {"yes", "no"}
        return values


def _without_last_word(text: str) -> str:
    return text[: len(text) - len(re.split(r"[\s()]", text)[-1])].rstrip(" (")


def _place(run: RunView) -> tuple[object, ...]:
    return (run.genre, run.variant, run.regularizer, run.fc, run.family, run.seed, run.study)
