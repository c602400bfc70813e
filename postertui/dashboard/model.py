"""The state behind the screen: all runs, the filter, and what follows from both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from postertui.dashboard.charts.panels import Arrangement, arrange
from postertui.dashboard.live.feed import News
from postertui.dashboard.live.judge import Judgement
from postertui.dashboard.live.view import RunView
from postertui.dashboard.options import Options
from postertui.dashboard.safe import clean
from postertui.filters import FIELDS, Filter, FilterError, parse


@dataclass
class Model:
    """Runs by name, and those that the filter and the checklists let through.

    Pinned runs are always shown.
    """

    options: Options = field(default_factory=Options)
    runs: dict[str, RunView] = field(default_factory=dict)
    shown: dict[str, RunView] = field(default_factory=dict)
    arrangement: Arrangement = field(default_factory=lambda: Arrangement(members={}))
    pinned: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    filter_error: str = ""
    judgements: dict[str, Judgement] = field(default_factory=dict)
    loaded: bool = False
    _filter: Filter = field(default_factory=lambda: parse(""))

    def take(self, news: News) -> bool:
        """Bring the runs up to date; whether the grid's cells or the table's rows changed.

        Otherwise only the contents of `news.changed` did.
        """
        self.loaded = True
        structural = bool(news.gone & self.runs.keys())
        for name in news.gone:
            self.runs.pop(name, None)
            self.shown.pop(name, None)
            self.pinned.discard(name)
            self.marked.discard(name)
            self.judgements.pop(name, None)
        for name, view in news.changed.items():
            old = self.runs.get(name)
            self.runs[name] = view
            was, now = name in self.shown, self.is_shown(view)
            structural |= old is None or was != now or _place(old) != _place(view)
            if old is None or old.pinned != view.pinned:
                structural |= view.pinned != (name in self.pinned)
                (self.pinned.add if view.pinned else self.pinned.discard)(name)
                now = self.is_shown(view)
            if now:
                self.shown[name] = view
            else:
                self.shown.pop(name, None)
        if structural:
            self.rearrange()
        return structural

    def is_shown(self, run: RunView) -> bool:
        if run.name in self.pinned:
            return True
        for name, values in self.options.without.items():
            if getattr(run, name) in values:
                return False
        return self._filter.matches(run.record)

    def set_filter(self, text: str, *, typing: bool = False) -> bool:
        """Apply the filter `text`; on a mistake keep the old one, and say so in `filter_error`.

        While its last word is being typed (`typing`) and lets nothing through as it is, the words
        before it are applied.
        """
        try:
            wanted = parse(text)
        except FilterError as error:
            if typing and text.strip():
                return self.set_filter(_without_last_word(text))
            self.filter_error = clean(str(error).removeprefix("filter: "))
            return False
        if typing and not any(wanted.matches(run.record) for run in self.runs.values()):
            return self.set_filter(_without_last_word(text))
        self._filter = wanted
        self.filter_error = ""
        self.set_options(filter=text)
        self.select()
        return True

    def tick(self, field: str, without: tuple[str, ...]) -> None:
        """Leave out the runs whose `field` is one of `without`."""
        kept = {**self.options.without, field: without}
        self.set_options(without={name: values for name, values in kept.items() if values})
        self.select()

    def set_options(self, **changes: object) -> None:
        self.options = msgspec.structs.replace(self.options, **changes)

    def select(self) -> None:
        """Decide anew which runs are shown."""
        self.shown = {name: run for name, run in self.runs.items() if self.is_shown(run)}
        self.rearrange()

    def rearrange(self) -> None:
        self.arrangement = arrange(self.shown.values(), self.options)

    def counts(self, runs: Iterable[RunView] | None = None) -> dict[str, int]:
        """How many runs are in each state."""
        found = dict.fromkeys(("running", "queued", "done", "failed", "interrupted"), 0)
        for run in self.runs.values() if runs is None else runs:
            found[run.state] = found.get(run.state, 0) + 1
        return found

    def completions(self) -> dict[str, set[str]]:
        """The values that occur, by field of the filter language."""
        texts = ("genre", "variant", "name", "family", "state", "study", "regularizer", "device")
        values: dict[str, set[str]] = {name: set() for name in texts if name in FIELDS}
        for run in self.runs.values():
            for name, seen in values.items():
                value = run.record.get(name)
                if value:
                    seen.add(clean(value))
        values["tag"] = {tag for run in self.runs.values() for tag in run.tags}
        values["dead"] = {"yes", "no"}
        return values


def _without_last_word(text: str) -> str:
    return text[: len(text) - len(re.split(r"[\s()]", text)[-1])].rstrip(" (")


def _place(run: RunView) -> tuple[object, ...]:
    return (run.genre, run.variant, run.regularizer, run.fc, run.family, run.seed, run.study)
