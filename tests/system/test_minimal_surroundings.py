"""Every command as a user that the system does not know, without a home or temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postertui.data.synthetic import make_posters
from postertui.figures.font_cache import STALE_AFTER, remove_stale_locks
from tests.support.other_accounts import SUPPORT, run_reachable
from tests.support.poster_data import make_data


def bare(place: Path, *program: str) -> subprocess.CompletedProcess[str]:
    """Run Python with `program` where only `place` can be written; skips without that right."""
    return run_reachable(place, "sh", SUPPORT / "bare.sh", place, sys.executable, *program)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The one folder that can be written, with data and the runs of a study."""
    if os.geteuid() != 0:
        pytest.skip("becoming an unknown user needs root")
    path = tmp_path / "place"
    path.mkdir()
    data = make_data(path / "data")
    for each in (path, data, *data.iterdir()):
        each.chmod(0o777)
    return path


TRAIN = ("train", "--weights", "random", "--variant", "base", "--genre", "Comedy", "--epochs", "2")

COMMANDS = {
    "doctor": (("doctor",), 0, "no GPU: jobs train on the CPU"),
    "nothing to list": (("runs",), 3, "runs: no such folder"),
    "data": (("data", "show"), 0, "Comedy"),
    "plan": ((*TRAIN, "--dry-run"), 0, "1 run: 1 new"),
}


@pytest.mark.parametrize(("words", "code", "message"), COMMANDS.values(), ids=COMMANDS.keys())
def test_command_works_or_says_one_line(
    place: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    result = bare(place, "-m", "postertui", *words)
    assert "Traceback" not in result.stderr
    assert result.returncode == code, result.stderr
    assert message in result.stdout + result.stderr
    assert [path.name for path in place.iterdir()] == ["data"]


@pytest.mark.slow
def test_training_and_drawing_leave_nothing_but_their_folders(place: Path) -> None:
    pytest.importorskip("tensorflow")
    posters = make_posters(place / "posters", 60)
    shutil.rmtree(place / "data")
    build = ("data", "build", "--posters", str(posters.posters), "--labels", str(posters.labels))
    result = bare(place, "-m", "postertui", *build)
    assert result.returncode == 0, result.stderr
    shutil.rmtree(place / "posters")
    result = bare(place, "-m", "postertui", *TRAIN)
    assert result.returncode == 0, result.stderr
    result = bare(place, "-m", "postertui", "report", "--variant", "base", "--figure", "base")
    assert "Traceback" not in result.stderr
    result = bare(place, "-m", "postertui", "export", "-o", "table.tsv")
    assert result.returncode == 0, result.stderr
    remaining_files = {path.name for path in place.iterdir()}
    assert remaining_files <= {"data", "runs", "reports", "table.tsv"}, remaining_files


CRASH = "import sys; from postertui.system.crash_log import log_traceback as log; {}"
RAISE = "exec('try: 1/0\\nexcept ZeroDivisionError as e: print(log(e))')"


def test_crash_handler_needs_nothing(place: Path) -> None:
    result = bare(place, "-c", CRASH.format(RAISE))
    assert "unexpected error: ZeroDivisionError: division by zero (the traceback is in" in (
        result.stdout
    )
    # Nowhere to write at all: the traceback is printed.
    shutil.rmtree(place / ".postertui")
    place.chmod(0o555)
    result = bare(place, "-c", CRASH.format(RAISE))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "unexpected error: ZeroDivisionError: division by zero"
    assert "Traceback" in result.stderr


def test_lock_that_a_dead_process_left_on_the_font_list_is_removed(tmp_path: Path) -> None:
    stale = tmp_path / "fontlist-v390.json.matplotlib-lock"
    fresh = tmp_path / "other.json.matplotlib-lock"
    stale.touch()
    fresh.touch()
    then = time.time() - STALE_AFTER - 1
    os.utime(stale, (then, then))
    remove_stale_locks(tmp_path)
    remove_stale_locks(tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == [fresh.name]


def test_unwritable_mplconfigdir_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postertui.figures.font_cache import font_cache

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLCONFIGDIR", "/proc/nowhere")
    with font_cache():
        folder = Path(os.environ["MPLCONFIGDIR"])
        assert folder.is_dir()
    assert not folder.exists()
    assert os.environ["MPLCONFIGDIR"] == "/proc/nowhere"
