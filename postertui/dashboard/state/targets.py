"""Which runs an action is for, and which of them are on the screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from postertui.dashboard.state.run_view import RunView


@dataclass(frozen=True)
class Targets:
    """The `runs` that an action is for; `in_sight` are the names of all runs on the screen."""

    runs: Sequence[RunView] = ()
    in_sight: AbstractSet[str] = frozenset()

    @property
    def names(self) -> list[str]:
        return [run.name for run in self.runs]

    @property
    def unseen(self) -> int:
        """How many of the runs are not on the screen."""
        return sum(run.name not in self.in_sight for run in self.runs)

    def in_states(self, states: Collection[str]) -> Targets:
        """Those whose state is one of `states`."""
        return self.of([run for run in self.runs if run.state in states])

    def of(self, runs: Sequence[RunView]) -> Targets:
        """Other runs on the same screen."""
        return replace(self, runs=runs)


@dataclass(frozen=True)
class Subject:
    """What a question is about: the shown runs by name, and genre and variant under the cursor.

    Genre and variant are empty where nothing is under it.
    """

    runs: Mapping[str, RunView]
    genre: str = ""
    variant: str = ""
