"""Runs folders with cheap runs, and waiting for what real processes do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postertui.runs import RunSpec, Weights, write_spec
from postertui.store import Store
from postertui.study import Variant

ROOT = Path(__file__).resolve().parents[2]
CHEAP = "benchmarks.cheap_trainer:CheapTrainer"

#: Generous, because the machine may be busy; nothing asserts how long a thing takes.
PATIENCE = 30.0


def make_spec(genre: str = "Comedy", *, seed: int = 0, epochs: int = 5, **more: Any) -> RunSpec:
    settings: dict[str, Any] = {
        "variant": Variant(name=more.pop("variant", "base"), epochs=epochs),
        "genre": genre,
        "seed": seed,
        "study": "test",
        "data": "/nowhere",
        "data_fingerprint": "0" * 8,
        "weights": Weights("random", "random-1"),
        "train_base_rate": 0.2,
        "test_base_rate": 0.25,
    }
    return RunSpec(**settings | more)


def queue(folder: Path, *specs: RunSpec) -> list[str]:
    for spec in specs:
        write_spec(folder, spec)
    return [spec.run for spec in specs]


def cheap_environment(**more: str) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "POSTERTUI_TRAINER": CHEAP,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **more,
    }


def wait_for(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """Poll until `condition` holds; what it answered."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"gave up waiting for {what or condition}"
        time.sleep(0.02)
    return answer


def states(folder: Path) -> dict[str, str]:
    store = Store(folder)
    store.refresh()
    return {name: run.state for name, run in store.runs.items()}


@contextmanager
def refreshed(folder: Path) -> Iterator[Store]:
    store = Store(folder)
    store.refresh()
    yield store
