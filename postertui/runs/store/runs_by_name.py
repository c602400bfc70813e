"""The runs of a folder by name."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from threading import Lock
from typing import TYPE_CHECKING

from postertui.runs.store.listing import ListedRun, list_run
from postertui.runs.store.run import Run

if TYPE_CHECKING:
    from postertui.runs.store.cache import CachedRuns


class RunsByName(MutableMapping[str, Run]):
    """Runs by name, of which one that is in the cache is made when it is looked at.

    Other threads may look at them while some come and go: `values` and `items` are those of one
    moment.
    """

    def __init__(self) -> None:
        # A run that was not looked at is its position in the cache.
        self._runs: dict[str, Run | int] = {}
        self._cached: CachedRuns | None = None
        self._lock = Lock()

    def add_cached(self, cached: CachedRuns, positions: dict[str, int]) -> None:
        """Add runs of `cached`, which is always the same, by name."""
        self._cached = cached
        self._runs.update(positions)

    def listed(self) -> list[ListedRun]:
        """What a list shows of each, oldest first."""
        runs = self._runs.copy().values()
        listed = [list_run(run) for run in runs if not isinstance(run, int)]
        if self._cached is not None:
            listed += self._cached.list_runs(run for run in runs if isinstance(run, int))
        return sorted(listed)

    def _make(self, name: str, position: int) -> Run:
        assert self._cached is not None
        with self._lock:
            run = self._runs.get(name)
            if run is not None and not isinstance(run, int):
                return run  # Another thread has made it.
            made = self._cached.run(position)
            if run is not None:
                self._runs[name] = made
            return made

    def __getitem__(self, name: str) -> Run:
        run = self._runs[name]
        return self._make(name, run) if isinstance(run, int) else run

    def __setitem__(self, name: str, run: Run) -> None:
        with self._lock:
            self._runs[name] = run

    def __delitem__(self, name: str) -> None:
        with self._lock:
            del self._runs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._runs

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def copy(self) -> dict[str, Run]:
        """The runs of this moment."""
        runs = self._runs.copy()
        return {n: self._make(n, run) if isinstance(run, int) else run for n, run in runs.items()}

    def keys(self) -> KeysView[str]:
        return self._runs.keys()

    def values(self) -> ValuesView[Run]:
        return self.copy().values()

    def items(self) -> ItemsView[str, Run]:
        return self.copy().items()
