"""Predictions come back as they were written, and a damaged file is one clear line."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.predictions.table import (
    Predictions,
    predictions_path,
    read_predictions,
    write_predictions,
)
from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.system.errors import UserError
from tests.support.predictions import make_predictions


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = make_predictions(300)
    write_predictions(tmp_path, written)
    read = read_predictions(tmp_path)
    assert read.has_posters_of(written)
    assert np.array_equal(read.probabilities, written.probabilities)
    assert read.best_probabilities is None
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.parquet"]


def test_the_best_epochs_probabilities_are_kept_beside(tmp_path: Path) -> None:
    plain = make_predictions(20)
    halves = plain.probabilities / np.float32(2)
    written = Predictions(plain.ids, plain.cohorts, plain.labels, plain.probabilities, halves)
    write_predictions(tmp_path, written)
    best = read_predictions(tmp_path).of_cohorts([1]).best_probabilities
    assert best is not None
    assert np.array_equal(best, plain.of_cohorts([1]).probabilities / np.float32(2))


def test_predictions_of_a_dead_model_are_nan(tmp_path: Path) -> None:
    plain = make_predictions(20)
    dead = Predictions(
        plain.ids, plain.cohorts, plain.labels, np.full(len(plain), np.nan, np.float32)
    )
    write_predictions(tmp_path, dead)
    assert np.isnan(read_predictions(tmp_path).probabilities).all()


def test_a_run_of_21000_posters_takes_about_100_kb(tmp_path: Path) -> None:
    write_predictions(tmp_path, make_predictions(21_000))
    assert predictions_path(tmp_path).stat().st_size < 150_000


def test_other_posters_have_another_digest() -> None:
    one = make_predictions(50)
    relabelled = Predictions(one.ids, one.cohorts, 1 - one.labels, one.probabilities)
    assert one.has_posters_of(make_predictions(50, seed=2))
    assert not one.has_posters_of(relabelled)
    assert not one.has_posters_of(one.of_cohorts([2]))


@given(st.integers(0, 2_000))
@settings(deadline=None, max_examples=60)
def test_a_file_cut_short_is_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_predictions(folder, make_predictions(100))
    path = predictions_path(folder)
    path.write_bytes(path.read_bytes()[: min(size, path.stat().st_size - 1)])
    with pytest.raises(UserError, match=r"predictions\.parquet: not a (whole Parquet|run's)") as e:
        read_predictions(folder)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (pl.col("label") + 2, "`label`"),
        (pl.col("cohort") + 20, "`cohort`"),
        (pl.col("probability") + 5, "`probability`"),
        (pl.col("probability").cast(pl.String), "`probability`"),
    ],
)
def test_values_that_no_prediction_has(tmp_path: Path, change: pl.Expr, reason: str) -> None:
    make_predictions(10).frame().with_columns(change).write_parquet(predictions_path(tmp_path))
    with pytest.raises(UserError, match=reason):
        read_predictions(tmp_path)


def test_another_table(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1]}).write_parquet(predictions_path(tmp_path))
    with pytest.raises(UserError, match="no column `cohort`"):
        read_predictions(tmp_path)


def test_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no predictions were kept") as error:
        read_predictions(tmp_path)
    assert error.value.exit_code == 3


def write_finished_run(folder: Path, predictions: Predictions) -> None:
    """Predictions, and the `end` event that records their digest."""
    folder.mkdir()
    info = write_predictions(folder, predictions)
    with EventWriter(folder / layout.EVENTS) as events:
        events.attempt = 1
        events.append("start", from_epoch=1)
        events.append("end", status="done", predictions=msgspec.to_builtins(info))


def test_flipped_bits_are_one_clear_line_and_never_the_end_of_the_process(tmp_path: Path) -> None:
    """In a process of its own: polars aborts on some of these files."""
    write_finished_run(tmp_path / "run", make_predictions(300))
    script = """
        import random, sys
        from pathlib import Path
        from postertui.predictions.table import predictions_path, read_predictions
        from postertui.system.errors import UserError

        folder = Path(sys.argv[1])
        path = predictions_path(folder)
        whole = path.read_bytes()
        read_predictions(folder)
        generator = random.Random(2017)
        bits = {*range(8 * len(whole) - 3200, 8 * len(whole))}
        bits |= {generator.randrange(8 * len(whole)) for _ in range(1000)}
        for bit in sorted(bits):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            try:
                read_predictions(folder)
            except UserError as error:
                assert str(error).startswith(str(path)) and "\\n" not in str(error), error
            else:
                sys.exit(f"bit {bit} was read")
        print(len(bits))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) > 4000


def test_predictions_of_another_run(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_finished_run(one, make_predictions(30))
    write_finished_run(other, make_predictions(30, seed=2))
    predictions_path(one).write_bytes(predictions_path(other).read_bytes())
    with pytest.raises(UserError, match="not the file that the run wrote"):
        read_predictions(one)


def test_a_run_that_is_trained_again_is_not_held_against_its_old_end(tmp_path: Path) -> None:
    write_finished_run(tmp_path / "run", make_predictions(30))
    with EventWriter(tmp_path / "run" / layout.EVENTS) as events:
        events.append("requeue")
    again = make_predictions(30, seed=2)
    write_predictions(tmp_path / "run", again)
    read = read_predictions(tmp_path / "run")
    assert np.array_equal(read.probabilities, again.probabilities)
