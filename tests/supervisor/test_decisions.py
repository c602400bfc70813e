"""What follows from reports, and which runs count as stalled or released: from data alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.runs.lifecycle import RunLifecycle
from postertui.supervisor.backends.base import RunReport
from postertui.supervisor.decisions import (
    ReportOutcome,
    UnitReports,
    needs_training,
    outcome_of,
    released_runs,
)
from postertui.supervisor.stall import ActiveRun, StallLimits, stalled_runs
from tests.support.supervisor import make_spec


def active(run: str, unit: str = "", *, since: float = 0.0, epoch: float | None = 1.0) -> ActiveRun:
    return ActiveRun(Path(run), 0, since, 0, unit or run, epoch_seconds=epoch)


@pytest.mark.parametrize(
    ("report", "has_grown", "outcome"),
    [
        (RunReport("a", "lost", "killed"), True, "lost"),
        (RunReport("a", "lost", "killed"), False, "lost silently"),
        (RunReport("a", "released"), True, "read"),
        (RunReport("a", "released"), False, "read"),
        (RunReport("a", "released", "no such trainer"), False, "lost silently"),
        (RunReport("a", "released", "ended badly"), True, "read"),
        (RunReport("a", "held"), False, "read"),
        (RunReport("a", "full"), True, "full"),
    ],
)
def test_outcome_of_a_report(report: RunReport, has_grown: bool, outcome: ReportOutcome) -> None:
    assert outcome_of(report, has_grown=has_grown) == outcome


def test_only_open_runs_of_this_version_that_jobs_train_need_training() -> None:
    spec = make_spec()
    opened = RunLifecycle()
    assert needs_training(opened, spec)
    ended = {"v": 1, "seq": 0, "attempt": 1, "event": "end", "status": "done", "time": 0.0}
    assert not needs_training(RunLifecycle.of([ended]), spec)
    assert needs_training(RunLifecycle.of([ended | {"status": "interrupted"}]), spec)
    assert not needs_training(RunLifecycle.of([ended | {"v": 99, "event": "start"}]), spec)


def test_reports_of_a_unit_count_once_all_its_runs_have_left_their_worker() -> None:
    submitted = {"a1": active("a1", "a"), "a2": active("a2", "a"), "b": active("b")}
    reports = UnitReports()
    first, second, alone = (RunReport(run, "released") for run in ("a1", "a2", "b"))
    assert reports.add(first, submitted) == []
    assert reports.add(alone, submitted) == [alone]
    assert reports.add(RunReport("unknown", "lost"), submitted) == []
    assert reports.add(second, submitted) == [first, second]
    # Submitted again, the unit is complete again only with new reports.
    assert reports.add(second, submitted) == []


def test_adopted_runs_are_released_together_with_their_unit() -> None:
    adopted = {"a1": active("a1", "a"), "a2": active("a2", "a"), "b": active("b")}
    assert released_runs(adopted, {"a2"}) == ["b"]
    assert released_runs(adopted, {"b"}) == ["a1", "a2"]
    assert released_runs(adopted, set()) == ["a1", "a2", "b"]


def test_run_is_stalled_after_many_times_its_epoch_and_a_unit_only_as_a_whole() -> None:
    limits = StallLimits(least=10, factor=20, first_epoch=100)
    assert stalled_runs([active("a")], limits, 19.9) == []
    [(run, timeout)] = stalled_runs([active("a")], limits, 20.0)
    assert (run.run, timeout) == ("a", 20.0)
    assert stalled_runs([active("a", epoch=0.1)], limits, 10.0) != []
    assert stalled_runs([active("a", epoch=None)], limits, 99.0) == []
    unit = [active("a1", "a"), active("a2", "a", since=15.0)]
    assert stalled_runs(unit, limits, 30.0) == []
    assert len(stalled_runs(unit, limits, 35.0)) == 2
