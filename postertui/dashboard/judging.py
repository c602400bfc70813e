"""The verdict on the run under the cursor, fetched in a thread; mixed into the main screen."""

from __future__ import annotations

from textual import work
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from postertui.dashboard.board import Board
from postertui.dashboard.live.feed import News
from postertui.dashboard.live.judge import MANY, Judgement, judge
from postertui.dashboard.live.view import RunView

#: The cursor rests so long on a run before it is judged; a run that goes on is judged so often.
REST, AGAIN = 0.4, 5.0


class Judging(Board):
    """Asks for a judgement when the cursor rests, and again as its run goes on."""

    _judge_timer: Timer | None = None
    _judge_of: str | None = None

    class Judged(Message):
        """A judgement has come."""

        def __init__(self, judgement: Judgement) -> None:
            super().__init__()
            self.judgement = judgement

    def take(self, news: News) -> None:
        super().take(news)
        run = self.table.current
        if run is not None and run.name in news.changed and self._judge_timer is None:
            self._judge_in(AGAIN, run)

    def judge_soon(self, run: RunView | None) -> None:
        """Judge `run` unless another is asked for before long."""
        self.show_detail()
        name = None if run is None else run.name
        if name == self._judge_of:
            return  # It goes on under the cursor; `take` sees to that.
        self._judge_of = name
        if self._judge_timer is not None:
            self._judge_timer.stop()
            self._judge_timer = None
        if run is not None and self._is_stale(run):
            self._judge_in(REST, run)

    def _judge_in(self, seconds: float, run: RunView) -> None:
        self._judge_timer = self.set_timer(seconds, lambda: self._due(run.name))

    def _due(self, name: str) -> None:
        self._judge_timer = None
        run = self.model.runs.get(name)
        if run is not None and self._is_stale(run):
            genre = run.record.get("genre") if len(self.model.runs) > MANY else None
            self._judge(name, genre)

    def _is_stale(self, run: RunView) -> bool:
        known = self.model.judgements.get(run.name)
        return run.epoch > 0 and (known is None or known.epoch != run.epoch)

    # A verdict is not worth the dashboard: where it fails, there is none.
    @work(thread=True, exclusive=True, group="judge", exit_on_error=False)
    def _judge(self, name: str, genre: str | None) -> None:
        table = self.dashboard.feed.table(
            None if genre is None else lambda r: r.spec is not None and r.spec.genre == genre
        )
        judgement = judge(table, name)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Judged(judgement))

    def on_judging_judged(self, event: Judged) -> None:
        if not self.model.judgements:
            self.dashboard.at_rest()
        self.model.judgements[event.judgement.name] = event.judgement
        self.show_detail()
        for screen in self.app.screen_stack:
            judged = getattr(screen, "judged", None)
            if judged is not None:
                judged(event.judgement)
