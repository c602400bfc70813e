"""What the supervisor decides about runs, from data alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.base import RunReport
from postertui.supervisor.stall import ActiveRun

#: What follows from a report. `lost`: the loss is recorded, `lost silently`: also that its job did
#: not even begin, `full`: it is recorded once there is room, `read`: the run's events say all.
ReportOutcome = Literal["lost", "lost silently", "full", "read"]


def needs_training(lifecycle: RunLifecycle, spec: RunSpec) -> bool:
    """Whether a job is to train the run, or does; a newer version's may ask for the unknown."""
    return not (lifecycle.is_closed or lifecycle.is_newer or spec.is_external)


def outcome_of(report: RunReport, *, has_grown: bool) -> ReportOutcome:
    """What follows from the report of a run; `has_grown`: it has events since it was submitted."""
    match report.kind:
        case "lost":
            return "lost" if has_grown else "lost silently"
        case "released" if report.reason and not has_grown:
            # Its job could not even begin; submitting it again would go on for ever.
            return "lost silently"
        case "full":
            return "full"
        case _:
            return "read"


class UnitReports:
    """Holds reports back until all runs of their unit have left their worker.

    Otherwise a run could be submitted again while others of its unit are still on their way.
    """

    def __init__(self) -> None:
        self._held_back: dict[str, dict[str, RunReport]] = {}

    def add(self, report: RunReport, submitted: Mapping[str, ActiveRun]) -> list[RunReport]:
        """The reports that count from now on: none, this one, or those of its whole unit.

        `submitted` are all runs that have a worker; a report of any other run is dropped.
        """
        active = submitted.get(report.run)
        if active is None:
            return []
        if active.unit == report.run:
            return [report]
        reports = self._held_back.setdefault(active.unit, {})
        reports[report.run] = report
        if any(run not in reports for run, a in submitted.items() if a.unit == active.unit):
            return []
        return list(self._held_back.pop(active.unit).values())


def released_runs(adopted: Mapping[str, ActiveRun], locked: set[str]) -> list[str]:
    """The adopted runs of units of which none is `locked` any more."""
    busy_units = {adopted[run].unit for run in locked}
    return [run for run, active in adopted.items() if active.unit not in busy_units]
