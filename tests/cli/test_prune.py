"""`postertui prune` frees what is asked for, says how much first, and keeps histories."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from postertui.cli.prune import prune_command
from postertui.predictions.table import Predictions, write_predictions
from postertui.runs.events import EventWriter
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec, write_spec
from postertui.runs.trained_weights import write_weights
from postertui.system.errors import UserError
from tests.support.supervisor import make_spec


@pytest.fixture
def specs(tmp_path: Path) -> list[RunSpec]:
    """A done Comedy and a done Drama with weights and predictions."""
    specs = [make_spec("Comedy"), make_spec("Drama")]
    for spec in specs:
        write_spec(tmp_path, spec)
        folder = tmp_path / spec.run
        info = write_weights(folder, spec.digest, 1, {"fc1/kernel": np.ones((100, 100))})
        rows = np.arange(4)
        write_predictions(
            folder,
            Predictions(
                rows,
                (rows % 2).astype(np.uint8),
                (rows % 2).astype(np.uint8),
                (rows / 4).astype(np.float32),
            ),
        )
        with EventWriter(folder / "events.jsonl") as writer:
            writer.append("start", from_epoch=1)
            writer.append("epoch", epoch=1, train_loss=0.5)
            writer.append("end", status="done", weights=msgspec.to_builtins(info))
    return specs


def prune(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        prune_command, [*arguments, "--runs", str(folder)], standalone_mode=False
    )


def files(folder: Path, spec: RunSpec) -> set[str]:
    return {path.name for path in (folder / spec.run).iterdir()} - {"lock"}


def test_only_what_was_asked_for_goes(tmp_path: Path, specs: list[RunSpec]) -> None:
    comedy, drama = specs
    size = (tmp_path / comedy.run / "weights.npz").stat().st_size
    preview = prune(tmp_path, "genre:comedy", "--weights", "--dry-run")
    assert f"weights of 1 run: {size / 1e6:.1f} MB" in preview.stderr
    assert "weights.npz" in files(tmp_path, comedy)
    assert prune(tmp_path, "genre:comedy", "--weights", "--yes").exception is None
    history = {"run.json", "events.jsonl"}
    assert files(tmp_path, comedy) == history | {"predictions.parquet"}
    assert files(tmp_path, drama) == history | {"predictions.parquet", "weights.npz"}
    prune(tmp_path, "--all", "--weights", "--predictions", "--yes")
    assert files(tmp_path, comedy) == files(tmp_path, drama) == history


def test_without_a_terminal_it_wants_a_yes(tmp_path: Path, specs: list[RunSpec]) -> None:
    result = prune(tmp_path, "--all", "--weights")
    assert isinstance(result.exception, UserError)
    assert "say --yes" in str(result.exception)
    assert "weights.npz" in files(tmp_path, specs[0])


def test_a_run_that_is_trained_is_left_alone(tmp_path: Path, specs: list[RunSpec]) -> None:
    lock = RunLock(tmp_path / specs[0].run)
    assert lock.acquire()
    prune(tmp_path, "--all", "--weights", "--yes")
    lock.release()
    assert "weights.npz" in files(tmp_path, specs[0])
    assert "weights.npz" not in files(tmp_path, specs[1])
