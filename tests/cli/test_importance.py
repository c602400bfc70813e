"""`postertui importance`: what it refuses, before TensorFlow is loaded."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from postertui.cli.importance import importance_command
from postertui.study import Variant
from postertui.system.errors import UserError
from tests.support.trained_models import build_data, write_many_sizes, write_model


def test_a_model_of_posters_alone_and_one_without_validation_are_refused(tmp_path: Path) -> None:
    data = build_data(tmp_path / "data", write_many_sizes(tmp_path / "posters", 10))
    runs = tmp_path / "runs"
    poster = write_model(runs, data, "Comedy")
    both = write_model(
        runs, data, "Drama", variant=Variant(name="both", fc1=16, fc2=8, inputs="both")
    )

    def refusal(run: str) -> str:
        result = CliRunner().invoke(importance_command, ["--run", run, "--runs", str(runs)])
        assert isinstance(result.exception, UserError)
        return str(result.exception)

    assert "learnt from posters alone" in refusal(poster.run)
    assert "has no validation cohort" in refusal(both.run)
    assert "no such run" in refusal("nothing")
