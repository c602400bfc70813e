"""A runs folder with many finished runs, written as jobs would have left it."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np

from postertui.data.weights import Weights
from postertui.runs.events import encode_event
from postertui.runs.spec import RunSpec
from postertui.runs.store import METRICS
from postertui.study import Variant

GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller", "Western")


COUNTS = ("_tp", "_fp", "_fn", "_tn")


def spec(number: int, epochs: int) -> RunSpec:
    """The `number`-th run of a study of many variants and seeds."""
    genre = GENRES[number % len(GENRES)]
    variant = number // len(GENRES) % 25
    return RunSpec(
        variant=Variant(name=f"variant-{variant}", fc1=4 << variant % 8, epochs=epochs),
        genre=genre,
        seed=number // (len(GENRES) * 25),
        study="scale",
        data="/nowhere",
        data_fingerprint="0" * 32,
        weights=Weights("random", "0" * 32),
        train_base_rate=0.2,
        test_base_rate=0.21,
        created=1_700_000_000.0 + number,
        versions={"postertui": "0", "python": "3"},
    )


def write_runs(folder: Path, runs: int, epochs: int, *, first: int = 0) -> None:
    """`runs` finished runs of `epochs` epochs below `folder`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    rng = np.random.default_rng(0)
    for number in range(first, first + runs):
        run = spec(number, epochs)
        path = folder / run.run
        path.mkdir(mode=0o700)
        (path / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
        (path / "lock").touch()
        (path / "log.txt").touch()
        (path / "events.jsonl").write_bytes(_events(run, epochs, rng))


def _events(run: RunSpec, epochs: int, rng: np.random.Generator) -> bytes:
    when = run.created
    process = {"pid": 1, "started": 1, "boot": "x", "host": "bench", "device": "cpu"}
    lines = [encode_event(0, 1, "start", {"from_epoch": 1, **process}, when)]
    values = rng.random((epochs, len(METRICS)))
    values[rng.random(values.shape) < 0.02] = math.nan
    for epoch, row in enumerate(values.tolist(), 1):
        fields = {
            name: round(value * 1000) if name.endswith(COUNTS) and value == value else value
            for name, value in zip(METRICS, row, strict=True)
        }  # fmt: skip
        fields["dead"] = False
        fields["epoch"] = epoch
        lines.append(encode_event(epoch, 1, "epoch", fields, when + epoch))
    lines.append(encode_event(epochs + 1, 1, "end", {"status": "done"}, when + epochs + 1))
    return b"".join(lines)
