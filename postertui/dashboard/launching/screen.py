"""The form that starts runs: a study, its variants, genres and numbers, and what that would be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Checkbox, Input, Label, Select, SelectionList, Static
from textual.widgets.selection_list import Selection

from postertui.dashboard.filter.checklists import Ticks
from postertui.dashboard.launching.draft import Draft, check_numbers, what_differs
from postertui.dashboard.launching.editor import VariantScreen
from postertui.dashboard.launching.preview import Line, Preview, describe, preview
from postertui.dashboard.launching.source import Source, open_source
from postertui.dashboard.numbers import score
from postertui.dashboard.safe import clean, fit
from postertui.dashboard.screens.keybar import KeyBar
from postertui.errors import UserError

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp
    from postertui.store import Run
    from postertui.study import Study, Variant

#: Seconds without a change before the plan is made anew.
PAUSE = 0.1


class Tick(Checkbox):
    """A checkbox whose tick is more than a colour."""

    def render(self) -> Content:
        return Content(f"{'[x]' if self.value else '[ ]'} {self.label.plain}")


class LaunchScreen(Screen[str | None]):
    """Says what it would start before it does. Closes with what was started, or None."""

    CSS_PATH = "launching.tcss"
    BINDINGS = [
        Binding("ctrl+s,f5", "start", "Start", id="launch.start", tooltip="queue what is listed"),
        Binding("escape", "close", "Back", id="launch.back"),
        Binding("space", "", "Tick", id="launch.tick"),
        Binding("a", "all", "All/none", id="launch.all", tooltip="of the list with the focus"),
        Binding("n", "variant", "New variant", id="launch.variant", tooltip="made from this one"),
    ]

    def __init__(self, dashboard: DashboardApp) -> None:
        super().__init__()
        self.dashboard = dashboard
        self.book = dashboard.book
        self.source: Source | None = None
        self.found: Preview | None = None
        self.made: dict[str, Variant] = {}
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(" New runs ", id="launch-title", markup=False)
        with Horizontal(classes="launch-line"):
            yield Label("study")
            yield Select[str]([], id="study", compact=True, allow_blank=True, prompt="…")
            yield Label("weights")
            yield Input("", id="weights", compact=True, placeholder="imagenet, random or a file")
        with Horizontal(classes="launch-line"):
            yield Label("seeds")
            yield Input("", id="seeds", compact=True, restrict=r"[0-9]*")
            yield Label("epochs")
            yield Input("", id="epochs", compact=True, placeholder="own", restrict=r"[0-9]*")
            yield Label("at a time")
            yield Input("", id="jobs", compact=True, restrict=r"[0-9]*")
            yield Tick("retry failed", id="again", compact=True)
        with Horizontal(id="launch-lists"):
            yield Ticks(id="variants", compact=True)
            yield Ticks(id="genres", compact=True)
        yield Static("reading the data …", id="launch-plan", markup=False)
        yield Static("", id="launch-problem", markup=False)
        yield KeyBar(self.book)

    def on_mount(self) -> None:
        self.query_one("#launch-title", Static).styles.text_style = "bold"
        self.query_one("#variants").border_title = "variants"
        self.query_one("#genres").border_title = "genres"
        self._open()

    # Reading

    @work(thread=True, exclusive=True, group="launch-open")
    def _open(self) -> None:
        setup = self.dashboard.setup
        try:
            source = open_source(setup.data, setup.study, self._runs(), Path())
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._say_plan, (), clean(error, 400))
            return
        self.app.call_from_thread(self._offer, source)

    def _runs(self) -> dict[str, Run]:
        # A copy, for the reading thread goes on adding to the store's own.
        return dict(self.dashboard.feed.store.runs)

    def _offer(self, source: Source) -> None:
        self.source = source
        self.query_one("#weights", Input).value = source.weights
        self.query_one("#jobs", Input).placeholder = str(source.slots)
        choice = self.query_one("#study", Select)
        choice.set_options([(Content(clean(key, 40)), key) for key in source.studies])
        choice.value = source.study
        self.query_one("#variants").focus()

    @property
    def study(self) -> Study | None:
        key = self.query_one("#study", Select).value
        if self.source is None or not isinstance(key, str):
            return None
        return self.source.studies.get(key)

    @on(Select.Changed, "#study")
    def _study_chosen(self) -> None:
        study = self.study
        if study is None:
            return
        self.query_one("#seeds", Input).placeholder = str(study.seeds)
        self._list_variants(study, ticked={"base"})
        self._list_genres(study)
        self._later()

    def variants(self) -> dict[str, Variant]:
        """The study's variants and those made here, by name."""
        study = self.study
        return {**(study.variants if study else {}), **self.made}

    def _list_variants(self, study: Study, ticked: set[str]) -> None:
        box = self.query_one("#variants", SelectionList)
        known = self.variants()
        width = min(24, max(len(name) for name in known))
        box.clear_options()
        for name, variant in known.items():
            text = Text(fit(clean(name), width))
            text.append("  " + clean(what_differs(variant, study.base), 120), style="dim")
            box.add_option(Selection(Content.from_rich_text(text), name, name in ticked))
        box.highlighted = 0

    def _list_genres(self, study: Study) -> None:
        assert self.source is not None
        dataset = self.source.dataset
        cohorts = [c for c in study.train_cohorts if c in dataset.cohorts]
        asked = study.genres if study.genres is not None else dataset.genres
        box = self.query_one("#genres", SelectionList)
        box.clear_options()
        for genre in dataset.genres:
            rate = dataset.base_rate(genre, cohorts) if cohorts else None
            rare = rate is not None and rate < study.rarity
            text = Text(fit(clean(genre, 40), 16))
            text.append(f" {score(rate)}" + ("  rare" if rare else ""), style="dim")
            chosen = genre in asked and not rare
            box.add_option(Selection(Content.from_rich_text(text), genre, chosen))
        box.highlighted = 0

    # The plan

    @on(SelectionList.SelectedChanged)
    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _later(self) -> None:
        """Make the plan once the user has paused."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._plan)

    def draft(self) -> Draft:
        """The form as it stands. Raises `ValueError` for what is wrong with it."""
        study = self.study
        if study is None:
            raise ValueError("choose a study")
        seeds, epochs, jobs = map(self._text, ("seeds", "epochs", "jobs"))
        numbers = check_numbers(seeds, epochs, jobs, study)
        known, ticked = self.variants(), self._ticked("variants")
        weights = self._text("weights")
        if weights not in ("imagenet", "random") and not Path(weights).expanduser().is_file():
            raise ValueError("weights: imagenet, random or a file of VGG16's weights")
        draft = Draft(
            study=study,
            variants=tuple(v for name, v in known.items() if name in ticked),
            genres=self._ticked("genres"),
            numbers=numbers,
            weights=weights,
            again=self.query_one("#again", Checkbox).value,
        )
        if not draft.variants or not draft.genres:
            raise ValueError("tick at least one variant and one genre")
        return draft

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _ticked(self, name: str) -> tuple[str, ...]:
        box = self.query_one(f"#{name}", SelectionList)
        chosen = set(box.selected)
        options = (box.get_option_at_index(i).value for i in range(box.option_count))
        return tuple(value for value in options if value in chosen)

    def _plan(self) -> None:
        for name in ("variants", "genres"):
            box = self.query_one(f"#{name}", SelectionList)
            box.border_subtitle = f"{len(box.selected)} of {box.option_count}"
        self.found = None
        try:
            draft = self.draft()
        except ValueError as error:
            if self.source is not None:
                self._say_plan((), clean(error, 400))
            return
        self._preview(draft)

    @work(thread=True, exclusive=True, group="launch-plan")
    def _preview(self, draft: Draft) -> None:
        assert self.source is not None
        source = self.source
        try:
            weights = source.planned_weights(draft.weights)
            found = preview(draft, source.dataset, weights, self._runs(), source.slots)
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._say_plan, (), clean(error, 400))
            return
        self.app.call_from_thread(self._show, draft, found)

    def _show(self, draft: Draft, found: Preview) -> None:
        try:
            if self.draft() != draft:
                return  # The form has gone on; its own plan is on the way.
        except ValueError:
            return
        self.found = found
        note = ""
        if self.source is not None and self.source.needs_download(draft.weights):
            note = "ImageNet's weights are not on this machine: starting downloads them (59 MB)"
        self._say_plan(describe(found), note, wrong=False)

    def _say_plan(self, lines: tuple[Line, ...], problem: str, *, wrong: bool = True) -> None:
        text = Text(no_wrap=True)
        for number, line in enumerate(lines):
            text.append("\n " if number else " ")
            for part, style in line:
                text.append(part, style=self.book[style])
        self.query_one("#launch-plan", Static).update(text)
        below = self.query_one("#launch-problem", Static)
        below.update(" " + problem if problem else "")
        below.set_class(wrong, "wrong")

    # Acting

    def action_all(self) -> None:
        box = self.focused
        if isinstance(box, SelectionList):
            if len(box.selected) == box.option_count:
                box.deselect_all()
            else:
                box.select_all()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_start(self) -> None:
        if self.found is None:
            return
        if not self.found.starting:
            self.app.notify("nothing to start: no ticked run is missing", markup=False)
            return
        try:
            self._start(self.draft())
        except ValueError as error:
            self._say_plan((), clean(error, 400))

    @work(thread=True, exclusive=True, group="launch-start")
    def _start(self, draft: Draft) -> None:
        assert self.source is not None
        source, control = self.source, self.dashboard.control
        try:
            weights = source.resolve(draft.weights)
            found = preview(draft, source.dataset, weights, self._runs(), source.slots)
            done = control.launch(
                found.plan.missing,
                again=found.plan.ended if draft.again else (),
                jobs=draft.numbers.jobs,
            )
        except (UserError, OSError) as error:
            self.app.call_from_thread(
                self.app.notify, clean(error, 300), severity="error", markup=False
            )
            return
        self.dashboard.feed.hurry()
        self.app.call_from_thread(self.dismiss, done)

    @work
    async def action_variant(self) -> None:
        study = self.study
        if study is None:
            return
        box = self.query_one("#variants", SelectionList)
        known = self.variants()
        start = study.base
        if box.highlighted is not None:
            start = known[box.get_option_at_index(box.highlighted).value]
        made = await self.app.push_screen_wait(VariantScreen(self.book, study, start, known))
        if made is not None:
            self.made[made.name] = made
            self._list_variants(study, ticked={*self._ticked("variants"), made.name})
            box.highlighted = box.option_count - 1
            self._later()
