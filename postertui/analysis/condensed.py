"""The few rows of a history table on which an analysis of a whole study depends.

Verdicts at the common epoch look at a handful of epochs of each run. The rest of thousands of
histories of a hundred epochs would be hundreds of megabytes, and seconds, at each analysis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from postertui.analysis.values import common_epoch
from postertui.history.from_runs import history_table
from postertui.published.facts import BASE_RATES
from postertui.runs.epoch_line import COLUMNS
from postertui.runs.store.columns import Rows
from postertui.runs.store.run import Run

#: The column by which two condensed histories differ where the whole ones do.
DIGEST = "train_digest"

_INDEX = {name: i for i, name in enumerate(COLUMNS)}
_EPOCH, _LEARNING_RATE = _INDEX["epoch"], _INDEX["learning_rate"]
#: What distinguishes two histories (see `repeated_histories`).
_METRICS = [0, *(i for n, i in _INDEX.items() if n.startswith(("train_", "test_", "val_")))]
#: How far an accuracy may be from the base rate where every answer is yes (see `baselines`).
_TOLERANCE = 1e-5

Rates = set[tuple[float, float]]


#: So many runs are read between two calls of `release`.
_BATCH = 500


@dataclass(frozen=True)
class _Extract:
    """What a run contributes: some of its `rows`, and a `digest` of all.

    `state` says what they were made from.
    """

    state: tuple[int, float, int]
    rows: Rows
    digest: int | None


class CondensedHistory:
    """The condensed tables of a study that goes on; of runs that did not change it works once."""

    def __init__(self) -> None:
        self._extracts: dict[str, _Extract] = {}
        self._rates: dict[str, Rates] = {}

    def table(
        self, runs: Sequence[Run], release: Callable[[], object] = lambda: None
    ) -> pl.DataFrame:
        """The condensed history table of `runs`: that of `history_table`, with fewer rows.

        Of each run the first epoch that defines a metric, the first at which it lives, the last
        one, that of the study's common epoch, those of the extreme learning rates, and those at
        which it says yes to every poster. `baselines`, `margins` and `compare` at the common epoch
        give the same as of the whole table. `release` is called when epochs have been read that
        need not stay in memory.
        """
        chosen = [run for run in runs if run.spec is not None and run.epoch]
        if not chosen:
            return history_table(())
        rates = _rates(chosen)
        if rates != self._rates:
            self._rates, self._extracts = rates, {}
        common = int(common_epoch(_ends(chosen)))
        extracts: dict[str, _Extract] = {}
        for number, run in enumerate(chosen, 1):
            extracts[run.name] = self._extract(run, common)
            if number % _BATCH == 0:
                release()
        self._extracts = extracts
        table = history_table(chosen, lambda run: extracts[run.name].rows)
        digests = pl.DataFrame(
            {"run": list(extracts), DIGEST: [e.digest for e in extracts.values()]},
            schema={"run": pl.String, DIGEST: pl.Int64},
        )
        return table.join(digests, on="run", how="left", maintain_order="left")

    def _extract(self, run: Run, common: int) -> _Extract:
        rows = run.buffer.rows()
        state = (len(rows), run.changed, common)
        before = self._extracts.get(run.name)
        if before is not None and before.state == state:
            return before
        assert run.spec is not None
        if run.buffer.extra is not None:
            return _Extract(state, rows.copy(), _digest(rows))
        indexes = _distinguishing_rows(rows, self._rates[run.spec.genre])
        indexes.update(np.flatnonzero(rows[:, _EPOCH] == common).tolist())
        return _Extract(state, rows[sorted(indexes)], _digest(rows))


def _distinguishing_rows(rows: Rows, rates: Rates) -> set[int]:
    """The indexes of the rows to keep, whatever the common epoch is."""
    # argmax is the first of several; 0 for a metric that is never defined.
    indexes = set(np.isfinite(rows).argmax(axis=0).tolist())
    indexes.add(len(rows) - 1)
    accuracy = rows[:, _INDEX["test_accuracy"]]
    dead = rows[:, _INDEX["dead"]]
    indexes.add(int(np.argmin(np.where(np.isnan(dead), accuracy == 0, dead))))
    learning_rate = rows[:, _LEARNING_RATE]
    if np.isfinite(learning_rate).any():
        indexes |= {int(np.nanargmin(learning_rate)), int(np.nanargmax(learning_rate))}
    if np.isfinite(rows[:, _INDEX["test_fscore"]]).any():
        train_accuracy = rows[:, _INDEX["train_accuracy"]]
        for train, test in rates:
            at_rates = np.abs(accuracy - test) < _TOLERANCE
            at_rates &= np.abs(train_accuracy - train) < _TOLERANCE
            indexes.update(np.flatnonzero(at_rates).tolist())
    return indexes


def _digest(rows: Rows) -> int | None:
    """A number that differs where the metrics do; None where none is defined."""
    metrics = rows[:, _METRICS] + 0.0  # Minus zero is zero.
    undefined = np.isnan(metrics)
    if undefined[:, 1:].all():
        return None
    metrics[undefined] = np.nan
    digest = hashlib.blake2b(metrics.tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _rates(runs: Sequence[Run]) -> dict[str, Rates]:
    """The base rates of both cohorts that occur for each genre."""
    rates: dict[str, Rates] = {}
    for run in runs:
        assert run.spec is not None
        own = rates.setdefault(run.spec.genre, set())
        if run.spec.train_base_rate is not None and run.spec.test_base_rate is not None:
            own.add((run.spec.train_base_rate, run.spec.test_base_rate))
    for genre, own in rates.items():
        if genre in BASE_RATES:
            own.add(BASE_RATES[genre])
    return rates


def _ends(runs: Sequence[Run]) -> pl.DataFrame:
    """Each run's last epoch, as `common_epoch` looks at them."""
    return pl.DataFrame(
        {
            "run": [run.name for run in runs],
            "epoch": [run.epoch for run in runs],
            "stopped_early": [run.has_own_end for run in runs],
        }
    )
