"""What `compare`, `leaderboard` and `bars` say of the runs on the screen, as the commands do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import ScrollableContainer
from textual.widgets import Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.context import Context
from postertui.dashboard.figure_export.request import filter_text
from postertui.dashboard.screens.base import DashboardScreen, Handler
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE, metric_column
from postertui.dashboard.state.targets import Subject
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.system.crash_log import log_traceback
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

#: In a terminal narrower than `NARROW` a table is this wide and scrolls sideways, for the columns
#: of a folded table cannot be read.
NARROW, WIDTH = 150, 160


class AnalysisScreen(DashboardScreen[None]):
    """Answers `question` (a command's name) about the subject's runs, or those of its genre."""

    BINDINGS = bindings("analysis")
    HELP_REGIONS = ("analysis",)

    def __init__(self, context: Context, question: str, subject: Subject) -> None:
        super().__init__(context)
        self.question, self.subject = question, subject
        self.one_genre = False
        self.heading = Static("", id="analysis-title", markup=False)
        self.body = Static("computing …", id="analysis-text", markup=False)
        self.keys = KeyBar(context.styles, read_only=context.setup.read_only)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"analysis.genre": self._toggle_genre}

    def compose(self) -> ComposeResult:
        yield self.heading
        with ScrollableContainer(id="analysis-scroll"):
            yield self.body
        yield self.keys

    def on_mount(self) -> None:
        self.query_one("#analysis-scroll").focus()
        self._answer()

    def summary_ready(self) -> None:
        """The runs have trained on."""
        self._answer()

    def repaint(self) -> None:
        self.keys.redraw()

    @property
    def runs(self) -> Mapping[str, RunView]:
        """The runs that are asked about."""
        if not self.one_genre:
            return self.subject.runs
        return {n: r for n, r in self.subject.runs.items() if r.genre == self.subject.genre}

    def action_ask(self, question: str) -> None:
        self.question = question
        self.query_one("#analysis-scroll").scroll_home(animate=False)
        self._answer()

    def _toggle_genre(self) -> None:
        if not self.subject.genre:
            self.context.shell.show_message("no genre was under the cursor")
            return
        self.one_genre = not self.one_genre
        self.action_ask(self.question)

    def command(self) -> str:
        """The command that prints the same; without its filter where that is too long."""
        words = ["postertui", self.question]
        try:
            text = filter_text(
                self.model.runs.values(), self.runs, self.model.options, self.model.pinned
            )
        except UserError:
            text = "…"
        words += [text] if text else []
        if self.model.options.metric not in ("f", "learning_rate"):
            words += ["--metric", metric_name(self.model.summary.metric)]
        if self.question == "bars" and self._variant != REFERENCE:
            words += ["--variant", self._variant]
        return shlex.join(words)

    @property
    def _variant(self) -> str:
        return self.subject.variant or REFERENCE

    def _answer(self) -> None:
        title = f" {to_single_line(self.command(), 400)}"
        self.heading.update(fit(title, max(20, self.size.width)))
        self._compute(self.question, frozenset(self.runs), max(20, self.size.width - 3))

    @work(thread=True, exclusive=True, group="analysis")
    def _compute(self, question: str, names: frozenset[str], width: int) -> None:
        try:
            text = self._text(question, names, width)
        except UserError as error:
            text = to_single_line(error, 400)
        except Exception as error:
            # One answer fails; the dashboard goes on, and the log has the traceback.
            text = f"no answer: {log_traceback(error)}"
        self.app.call_from_thread(self._show, question, text)

    def _text(self, question: str, names: frozenset[str], width: int) -> str:
        """What the command `question` prints of the runs, for `width` columns."""
        import polars as pl

        from postertui.analysis.tables.answers import answer
        from postertui.analysis.tables.plain import plain_sections
        from postertui.history.schema import with_base_rates
        from postertui.runs.pruning import kept_bytes

        feed = self.context.feed
        table = with_base_rates(feed.full_table())
        chosen = table.filter(pl.col("run").is_in(list(names)))
        if chosen.is_empty():
            raise UserError("no run on the screen has finished an epoch")
        sections = answer(
            question,
            table,
            chosen,
            metric_column(table, self.model.options.metric),
            variant=self._variant,
            records=feed.records() if question == "leaderboard" else None,
            kept_bytes=kept_bytes(feed.store.folder, names) if question == "leaderboard" else None,
        )
        feed.release_memory()
        table_width = width if width >= NARROW else WIDTH
        return plain_sections(sections, table_width, notes_width=width, styled=True)

    def _show(self, question: str, text: str) -> None:
        if question == self.question and self.is_attached:
            self.body.update(Text.from_ansi(text, no_wrap=True))


def metric_name(column: str) -> str:
    """A metric's column as `--metric` takes it."""
    return column.removeprefix("test_")
