"""Which runs are in which state, kept up to date run by run."""

from __future__ import annotations

from postertui.dashboard.state.run_view import RunView
from postertui.runs.lifecycle import OPEN_STATES


class RunStates:
    """Counts by state, and by name the runs that are yet to be finished and those that failed.

    The first line and the machine's strip ask for them at every tick: going through 50,000 runs
    for each took a fifteenth of a processor while nothing happened.
    """

    def __init__(self) -> None:
        self.open_runs: dict[str, RunView] = {}
        self.failed_runs: dict[str, RunView] = {}
        self._by_standing = dict.fromkeys(("running", "queued", "done", "failed", "interrupted"), 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many runs stand how, by the words of `STATE_WORDS`."""
        return dict(self._by_standing)

    def replace(self, old: RunView | None, new: RunView | None) -> None:
        """Take `new` for `old`; None for `old` of a new run, and for `new` of a removed one."""
        if old is not None:
            self._by_standing[old.standing] -= 1
            self.open_runs.pop(old.name, None)
            self.failed_runs.pop(old.name, None)
        if new is not None:
            self._by_standing[new.standing] = self._by_standing.get(new.standing, 0) + 1
            if new.state in OPEN_STATES:
                self.open_runs[new.name] = new
            elif new.state == "failed":
                self.failed_runs[new.name] = new

    def count_running(self) -> int:
        """How many runs train."""
        return sum(run.state == "running" for run in self.open_runs.values())
