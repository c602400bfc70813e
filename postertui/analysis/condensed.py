"""The few rows of a history table on which an analysis of a whole study depends.

Verdicts at the common epoch look at a handful of epochs of each run. The rest of thousands of
histories of a hundred epochs would be hundreds of megabytes, and seconds, at each analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.analysis.values import common_epoch
from postertui.history.from_runs import history_table
from postertui.published.facts import BASE_RATES
from postertui.runs.epoch_line import COLUMN_INDEX
from postertui.runs.store.columns import Rows
from postertui.runs.store.run import Run

#: The column by which two condensed histories differ where the whole ones do.
DIGEST = "train_digest"

_EPOCH, _LEARNING_RATE = COLUMN_INDEX["epoch"], COLUMN_INDEX["learning_rate"]
#: What distinguishes two histories (see `repeated_histories`).
_METRICS = [
    _EPOCH,
    *(i for name, i in COLUMN_INDEX.items() if name.startswith(("train_", "test_", "val_"))),
]
#: How far an accuracy may be from the base rate where every answer is yes (see `baselines`).
_TOLERANCE = 1e-5

Rates = set[tuple[float, float]]
Starts = NDArray[np.int64]
Flags = NDArray[np.bool_]


#: How many epochs are read between two calls of `release`.
_BATCH = 20_000


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
        states = {run.name: (len(run.buffer), run.changed, common) for run in chosen}
        extracts = {n: e for n, e in self._extracts.items() if states.get(n) == e.state}
        for batch in _batches([run for run in chosen if run.name not in extracts]):
            for run, (rows, digest) in zip(batch, self._condense(batch, common), strict=True):
                extracts[run.name] = _Extract(states[run.name], rows, digest)
            release()
        self._extracts = extracts
        table = history_table(chosen, lambda run: extracts[run.name].rows)
        digests = pl.DataFrame(
            {"run": list(states), DIGEST: [extracts[name].digest for name in states]},
            schema={"run": pl.String, DIGEST: pl.Int64},
        )
        return table.join(digests, on="run", how="left", maintain_order="left")

    def _condense(self, runs: Sequence[Run], common: int) -> Iterator[tuple[Rows, int | None]]:
        """Of each run the rows to keep, and the digest of all."""
        blocks = [run.buffer.rows() for run in runs]
        lengths = [len(block) for block in blocks]
        rows = np.concatenate(blocks)
        starts = np.cumsum([0, *lengths[:-1]])
        keep = _distinguishing_rows(rows, starts) | (rows[:, _EPOCH] == common)
        keep |= self._always_yes_rows(rows, starts, [_genre(run) for run in runs])
        digests = _digests(rows, starts)
        for run, block, start, digest in zip(runs, blocks, starts, digests, strict=True):
            # Of a run with metrics beyond `COLUMNS` the table needs all rows.
            chosen = run.buffer.extra is not None or keep[start : start + len(block)]
            yield (block.copy() if chosen is True else block[chosen]), digest

    def _always_yes_rows(self, rows: Rows, starts: Starts, genres: Sequence[str]) -> Flags:
        """The rows at which a run with a score has the accuracies of a yes to every poster."""
        codes = {genre: code for code, genre in enumerate(dict.fromkeys(genres))}
        of_run = _numbers_of_runs(rows, starts)
        genre_of_row = np.array([codes[genre] for genre in genres])[of_run]
        test, train = (rows[:, COLUMN_INDEX[f"{cohort}_accuracy"]] for cohort in ("test", "train"))
        at_rates = np.zeros(len(rows), dtype=bool)
        for genre, code in codes.items():
            of_genre = genre_of_row == code
            for train_rate, test_rate in self._rates[genre]:
                near = np.abs(test - test_rate) < _TOLERANCE
                at_rates |= of_genre & near & (np.abs(train - train_rate) < _TOLERANCE)
        scores = rows[:, COLUMN_INDEX["test_fscore"]]
        has_score = np.logical_or.reduceat(np.isfinite(scores), starts)
        return at_rates & has_score[of_run]


def _batches(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs, as many at a time as have few enough rows to be copied."""
    batch: list[Run] = []
    rows = 0
    for run in runs:
        batch.append(run)
        rows += len(run.buffer)
        if rows >= _BATCH:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _distinguishing_rows(rows: Rows, starts: Starts) -> Flags:
    """The rows to keep of runs that begin at `starts`, whatever their common epoch is."""
    keep = np.zeros(len(rows), dtype=bool)
    keep[[*(starts[1:] - 1), -1]] = True
    keep[_first_rows(np.isfinite(rows), starts)] = True
    accuracy, dead = (rows[:, COLUMN_INDEX[name]] for name in ("test_accuracy", "dead"))
    keep[_lowest_rows(np.where(np.isnan(dead), accuracy == 0, dead), starts)] = True
    learning_rate = rows[:, _LEARNING_RATE]
    undefined = np.isnan(learning_rate)
    for rate in (learning_rate, -learning_rate):
        keep[_lowest_rows(np.where(undefined, np.inf, rate), starts)] = True
    return keep


def _first_rows(flags: NDArray[np.bool_], starts: Starts) -> NDArray[np.int32]:
    """Of each run and each column of `flags` the first row that is true; each row once."""
    none = np.int32(len(flags))
    numbers = np.arange(none, dtype=np.int32).reshape(-1, *(1,) * (flags.ndim - 1))
    numbers = np.where(flags, numbers, none)
    first = np.unique(np.minimum.reduceat(numbers, starts, axis=0))
    return first[first < none]


def _lowest_rows(values: Rows, starts: Starts) -> NDArray[np.int32]:
    """Of each run the first row with its lowest value."""
    lowest = np.minimum.reduceat(values, starts)
    return _first_rows(values == lowest[_numbers_of_runs(values, starts)], starts)


def _numbers_of_runs(rows: Rows, starts: Starts) -> NDArray[np.int64]:
    """Of each row the number of its run."""
    return np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))


def _digests(rows: Rows, starts: Starts) -> list[int | None]:
    """Of each run a number that differs where the metrics do; None where none is defined."""
    # Minus zero is zero.
    metrics = rows.take(_METRICS, axis=1) + 0.0
    undefined = np.isnan(metrics)
    has_metrics = np.logical_or.reduceat(~undefined[:, 1:].all(axis=1), starts)
    metrics[undefined] = np.nan
    bounds = [*starts.tolist(), len(rows)]
    return [
        _digest(metrics[first:stop]) if is_defined else None
        for first, stop, is_defined in zip(bounds, bounds[1:], has_metrics, strict=False)
    ]


def _digest(metrics: Rows) -> int:
    return int.from_bytes(blake2b(metrics.data, digest_size=8).digest(), "little", signed=True)


def _genre(run: Run) -> str:
    assert run.spec is not None
    return run.spec.genre


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
