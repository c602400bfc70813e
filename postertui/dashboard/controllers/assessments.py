"""Assessments of the run under the cursor, computed in a thread."""

from __future__ import annotations

import contextlib
from functools import partial

from textual.timer import Timer

from postertui.dashboard.context import Context
from postertui.dashboard.state.assessment import Assessment, assess, has_cohort_facts
from postertui.dashboard.state.run_view import RunView

#: Seconds for which the cursor rests on a run before it is assessed, and between two assessments
#: of a run that is training.
QUIET_SECONDS, INTERVAL = 0.4, 5.0


class AssessmentController:
    """Assesses the run on which the cursor rests, and again as it trains."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._model = context.model
        self._timer: Timer | None = None
        self._requested: str | None = None
        self._newest_request = 0

    def request(self, run: RunView | None) -> None:
        """Assess `run` unless another is requested before long."""
        name = None if run is None else run.name
        if name == self._requested:
            return  # It trains under the cursor; `run_updated` sees to that.
        self._requested = name
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if run is not None and self._is_stale(run):
            self._assess_in(QUIET_SECONDS, run)

    def run_updated(self, run: RunView) -> None:
        """The run under the cursor has trained on."""
        if self._timer is None:
            self._assess_in(INTERVAL, run)

    def _assess_in(self, seconds: float, run: RunView) -> None:
        self._timer = self._shell.later(seconds, lambda: self._due(run.name))

    def _due(self, name: str) -> None:
        self._timer = None
        run = self._model.runs.get(name)
        if run is None or not self._is_stale(run):
            return
        if not self._context.feed.store.is_complete:
            self._assess_in(QUIET_SECONDS, run)  # Reading comes first.
            return
        spec = run.spec
        setting = (None, None) if spec is None else (spec.genre, spec.variant.name)
        self._newest_request += 1
        request = self._newest_request
        work = partial(self._assess, name, setting, request)
        self._shell.in_thread(work, "assess", exclusive=True)

    def _is_stale(self, run: RunView) -> bool:
        assessment = self._model.assessments.get(run.name)
        return run.epoch > 0 and (assessment is None or assessment.epoch != run.epoch)

    def _assess(
        self, name: str, setting: tuple[str, str] | tuple[None, None], request: int
    ) -> None:
        genre, variant = setting
        feed = self._context.feed
        # An assessment is not worth the dashboard: where it fails, there is none.
        with contextlib.suppress(Exception):
            table = feed.genre_table(genre, variant)
            if not has_cohort_facts(table):
                table = feed.genre_table(genre)  # The other variants' runs may have them.
            assessment = assess(table, name)
            if request == self._newest_request:
                self._shell.from_thread(self._ready, assessment)

    def _ready(self, assessment: Assessment) -> None:
        self._model.assessments[assessment.name] = assessment
        self._shell.assessment_ready(assessment)
