"""`postertui posters` names what it cannot show, in one line."""

from __future__ import annotations

from pathlib import Path

from postertui.predictions.table import predictions_path
from postertui.system.errors import UserError
from tests.support.commands import invoke
from tests.support.predictions import write_predicted_runs


def refusal(*words: str | Path) -> UserError:
    result = invoke(*words)
    assert isinstance(result.exception, UserError)
    return result.exception


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    write_predicted_runs(tmp_path, seeds=1, genres=("Drama",))
    error = refusal("posters", "--run", "nosuch", "--runs", tmp_path)
    assert error.exit_code == 3
    assert str(error) == (
        f"run nosuch: there is none in {tmp_path}; `postertui runs` lists the runs"
    )


def test_predictions_of_another_genre_are_not_shown_as_its_own(tmp_path: Path) -> None:
    comedy, drama = write_predicted_runs(tmp_path, seeds=1, variants={"base": 0.2})
    own = predictions_path(tmp_path / comedy)
    own.write_bytes(predictions_path(tmp_path / drama).read_bytes())
    error = refusal("posters", "--run", comedy, "--runs", tmp_path)
    assert str(error).startswith(f"{own}: not the file that the run wrote")
    doctor = invoke("doctor", "--runs", tmp_path)
    assert f"{own}: damaged" in doctor.output
