"""What a job asks of a trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from postertui.runs.spec import RunSpec


class Epoch(Protocol):
    """A finished epoch, as a trainer yields it: one row of the history table."""

    @property
    def epoch(self) -> int: ...

    @property
    def metrics(self) -> dict[str, Any]: ...

    @property
    def write_results(self) -> Callable[[Path], dict[str, Any]] | None:
        """For the run's last epoch: writes its results and returns the fields of the `end` event.

        It is called with the run's folder, which gets the predictions and the weights.
        """

    @property
    def group(self) -> Mapping[str, Epoch]:
        """Where genres are trained together, what the epoch has for each of them."""

    def save(self, path: Path) -> None:
        """Write everything that is needed to resume after this epoch."""


class RunTrainer(Protocol):
    """Trains runs, one after the other, and keeps what they share in memory."""

    def epochs(
        self, spec: RunSpec, resume: Path | None, notify: Callable[[int, int, int], None]
    ) -> Iterator[Epoch]:
        """The run's epochs from the one after `resume` on (from 1 where that is None).

        With a spec of a group they are of all its runs, which have their parts in `Epoch.group`.

        `notify(cohort, done, total)` is called during feature extraction, before the first epoch.
        A run with functions of the user's own comes with their files, too, as `code`.
        Raises `UserError` for a run that cannot be trained.
        """
