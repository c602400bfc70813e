"""`postertui report` as a CI job sees it: no terminal, an exit code, a log for people."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from postertui.cli import cli
from postertui.history.writing import write_table
from postertui.report import FIGURES
from postertui.system.errors import UserError
from tests.support.figure_tables import MADE, seeds
from tests.support.study_2017 import Study2017, every_study

PROGRAM = [sys.executable, "-P", "-c", "from postertui.cli import main; main()"]
#: What a log must not contain: escape sequences, carriage returns, bells.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def bare_environment() -> dict[str, str]:
    """As in a container of a CI service: no terminal type, no home with settings."""
    kept = ("PATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "report", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def call(*arguments: str | Path) -> Result:
    """The command in this process; `UserError` is the caller's, as in `main`."""
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], standalone_mode=False)


def refusal(*arguments: str | Path) -> UserError:
    error = call(*arguments).exception
    assert isinstance(error, UserError)
    assert "\n" not in str(error)
    return error


@pytest.mark.slow
def test_a_job_without_a_terminal_gets_figures_and_a_readable_log(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted: list[str | Path] = ["--figure", "base", "--compare", "Regularizer", "--from", MADE]
    wanted += ["--dpi", "60", "--genre", "Comedy", "--genre", "Animation", "--genre", "History"]
    # Neither settings for a person's screen nor a home that cannot be written to make a difference.
    settings = tmp_path_factory.mktemp("settings")
    (settings / "matplotlibrc").write_text("text.usetex: true\nfont.size: 30\n")
    temporary = tmp_path_factory.mktemp("temporary")
    lost = {"MPLBACKEND": "none", "HOME": "/proc/1", "MATPLOTLIBRC": str(settings)}
    lost["TMPDIR"] = str(temporary)
    done = run(*wanted, "--out", tmp_path, env=bare_environment() | lost)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(temporary.iterdir()) == []
    assert not CONTROL.search(done.stdout.replace("\n", ""))
    assert f"{tmp_path}/base.png\n  not drawn: 10 Test undefined, 2 Train undefined" in done.stdout
    assert "  2 histories of one setting: Animation, l2-1e-4\n" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "base.csv", "base.png", "regularizer.csv", "regularizer.png",
    ]  # fmt: skip
    usual = tmp_path_factory.mktemp("usual")
    assert call(*wanted, "--out", usual).return_value == 0
    assert (usual / "base.png").read_bytes() == (tmp_path / "base.png").read_bytes()
    again = call(*wanted, "--out", tmp_path)
    assert f"{tmp_path}/base.png  unchanged\n" in again.output
    assert f"{tmp_path}/regularizer.png  unchanged\n" in again.output


def test_drawing_imports_no_tensorflow_and_no_terminal_library(tmp_path: Path) -> None:
    program = (
        "import sys; from postertui.cli import cli;"
        "cli(sys.argv[1:], standalone_mode=False);"
        "sys.exit(sum(m in sys.modules for m in ('tensorflow', 'keras', 'jax', 'textual')))"
    )
    arguments = ["report", "--figure", "l2", "--from", str(MADE), "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments], env=bare_environment(), check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "l2.png").exists()


@pytest.mark.slow
def test_ctrl_c_leaves_whole_figures_and_no_process(tmp_path: Path) -> None:
    arguments = ["report", "--all", "--genre", "Comedy", "--from", str(MADE)]
    arguments += ["--out", str(tmp_path)]
    job = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    give_up = time.monotonic() + 120
    while job.poll() is None and not list(tmp_path.glob("*.png")):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGINT)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "Traceback" not in errors
    names = {path.name for path in tmp_path.iterdir()}
    assert all(re.fullmatch(r"[a-z0-9-]+\.(png|csv)", name) for name in names)
    for path in tmp_path.glob("*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    # Its pipes are closed, so nothing that it started still writes to them.


def test_the_results_are_json_on_request(tmp_path: Path) -> None:
    result = call("--figure", "l2", "--from", MADE, "--out", tmp_path, "--dpi", "40", "--json")
    ((record),) = json.loads(result.output)
    assert record == {
        "name": "l2",
        "title": "Comparing F-Score per Regularizer",
        "files": [str(tmp_path / "l2.png")],
        "csv": str(tmp_path / "l2.csv"),
        "unchanged": False,
        "not_drawn": [{"split": "Test", "cause": "undefined", "count": 23}],
        "notes": ["2 histories of one setting: Animation, l2-1e-4"],
    }


def test_formats_sizes_and_looks_are_options(tmp_path: Path) -> None:
    seeds(3).write_parquet(tmp_path / "runs.parquet")
    result = call(
        "--compare", "Regularizer", "--from", tmp_path / "runs.parquet", "--out", tmp_path,
        "--format", "png,svg", "--format", "pdf", "--dpi", "40", "--width", "7", "--height", "4",
        "--palette", "okabe-ito", "--baseline", "stratified,always", "--seed-lines",
    )  # fmt: skip
    assert (result.exception, result.return_value) == (None, 0)
    kinds = sorted(path.suffix for path in tmp_path.glob("regularizer.*"))
    assert kinds == [".csv", ".pdf", ".png", ".svg"]
    numbers = (tmp_path / "regularizer.csv").read_text()
    assert "always-yes F" in numbers
    assert "#D55E00" in numbers
    with Image.open(tmp_path / "regularizer.png") as image:
        assert image.size == (280, 160)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--from", "none.tsv"], "none.tsv: no such file or folder", 2),
        (["--figure", "l3"], "figure `l3`: there are base,", 2),
        (["--compare", "color"], "--compare color: `color` is not a column", 2),
        (["--format", "gif"], "format `gif`: there are png, svg, pdf", 2),
        (["--palette", "viridis"], "palette `viridis`: there are hue, okabe-ito", 2),
        (["--baseline", "often"], "baseline `often`: there are stratified, always", 2),
        (["--metric", "lift"], "metric `lift`: the table has no test_lift; it has fscore", 2),
        (["--width", "0"], "width and height are 1 to 200 inches, not 0", 2),
        (["--width", "nan"], "width and height are 1 to 200 inches, not nan", 2),
        (["--strict-published", "--metric", "loss"], "leave out --palette", 2),
        (["--variant", "nothing"], "--variant nothing: no run of it; there are base", 3),
        (["genre:nothing"], "no run with a finished epoch matches `genre:nothing`", 3),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: list[str], message: str, code: int, tmp_path: Path
) -> None:
    error = refusal("--from", MADE, "--out", tmp_path / "reports", *arguments)
    assert message in str(error)
    assert error.exit_code == code
    assert not (tmp_path / "reports").exists()


def test_a_named_figure_without_rows_is_nothing_matched(tmp_path: Path) -> None:
    seeds(1).write_parquet(tmp_path / "runs.parquet")
    error = refusal("--figure", "scratch", "--from", tmp_path / "runs.parquet")
    assert str(error) == "figure scratch: the table has none of the variants scratch"
    assert error.exit_code == 3


def test_a_damaged_table_is_refused_with_file_and_line(tmp_path: Path) -> None:
    table = tmp_path / "runs.tsv"
    table.write_text(MADE.read_text().replace("\t256\t", "\tmany\t", 1))
    assert str(table) in str(refusal("--from", table, "--out", tmp_path / "reports"))


@pytest.mark.slow
def test_the_commands_of_the_workflow_in_the_docs_work(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/ci.md").read_text()
    workflow = re.search("```yaml\n(.*?)```", text, re.DOTALL)
    assert workflow is not None
    commands = re.findall(r"postertui report (.*)", workflow[1])
    assert len(commands) == 2
    (tmp_path / "results").mkdir()
    few = seeds(1, ("Comedy",))
    write_table(few, tmp_path / "results/history.tsv")
    for command in commands:
        done = run(*shlex.split(command), cwd=tmp_path, env=bare_environment())
        assert done.returncode == 0, done.stderr
    drawn = {path.name for path in (tmp_path / "reports").iterdir()}
    assert {"l2.png", "l2.pdf", "l2.csv", "regularizer.png"} <= drawn


#: Figures of what the table of 2017 lacks: final states of models, and predictions.
NOT_OF_2017 = {"models", "precision-recall", "roc", "calibration", "threshold", "confusion"}


@every_study
@pytest.mark.slow
def test_all_fifteen_are_drawn_of_a_table_of_2017(study_2017: Study2017, tmp_path: Path) -> None:
    study_2017.table().write_parquet(tmp_path / "runs.parquet")
    out = tmp_path / "reports"
    done = run("--all", "--strict-published", "--from", tmp_path / "runs.parquet", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in out.glob("*.png")} == set(FIGURES) - NOT_OF_2017
    for name, counts in study_2017.not_drawn:
        assert f"{out}/{name}.png\n  not drawn: {counts}" in done.stdout


def test_a_comparison_is_called_as_asked(tmp_path: Path) -> None:
    arguments = ["--compare", "Regularizer", "--genre", "Comedy", "--from", str(MADE)]
    done = call(*arguments, "--out", tmp_path, "--dpi", "60", "--name", "comedy-regularizers")
    assert done.return_value == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "comedy-regularizers.csv", "comedy-regularizers.png",
    }  # fmt: skip
    for wrong, reason in (
        (["--compare", "Regularizer", "--name", "../up"], "letters, digits"),
        (["--figure", "l2", "--name", "x"], "for a single --compare"),
    ):
        refused = call(*wrong, "--from", MADE, "--out", tmp_path)
        assert isinstance(refused.exception, UserError)
        assert reason in str(refused.exception)
