"""All that a store says of runs, to be compared with what another store says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from postertui.runs.store import METRICS, Run, Store


def content_of(run: Run) -> tuple[Any, ...]:
    rows = [run.epochs.values(name) for name in ("epoch", "attempt", *METRICS)]
    return run.name, run.state, run.attempt, run.reason, run.damage, run.epoch, run.note, rows


def contents_of(store: Store) -> dict[str, tuple[Any, ...]]:
    return {name: content_of(run) for name, run in store.runs.items()}


def uncached_contents(folder: Path) -> dict[str, tuple[Any, ...]]:
    store = Store(folder, cache=False)
    store.refresh()
    return contents_of(store)
