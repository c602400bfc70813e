"""What a terminal, a pipe or a machine can do to a command's output."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.importer import import_paths
from tests.support.analysis_runs import postertui, write_study
from tests.support.dashboard_runs import MadeRuns


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    import_paths([write_study(folder / "study.tsv")], folder / "rüns")
    return folder / "rüns"


def shell(line: str, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`line`, in which `postertui` is the program; `$1` and so on are `words`."""
    program = f'postertui() {{ {shlex.quote(sys.executable)} -m postertui "$@"; }}'
    return subprocess.run(
        ["bash", "-c", f"{program}; {line}", "-", *map(str, words)],
        capture_output=True,
        errors="replace",
        timeout=300,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("command", ["runs", "compare", "diagnose", "log comedy --runs"])
def test_a_reader_that_has_enough_is_no_failure_to_talk_of(command: str, runs: Path) -> None:
    for name in ("a", "b"):
        comedy = next(p for p in runs.iterdir() if p.name.startswith("comedy"))
        (comedy / "log.txt").write_text(f"{name}\n" * 100_000)
    where = "" if command.endswith("--runs") else "--runs"
    done = shell(f'postertui {command} {where} "$1" | true; echo "${{PIPESTATUS[0]}}"', runs)
    # Small output may be in the pipe before its reader is gone.
    assert done.stdout in ("141\n", "0\n")
    assert "roken" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", ["runs", "compare --json", "leaderboard"])
def test_a_full_disk_is_one_line(command: str, runs: Path, tmp_path: Path) -> None:
    done = shell(f'postertui {command} --runs "$1" > /dev/full', runs, XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "postertui: standard output: No space left on device"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_error(closed: str, runs: Path, tmp_path: Path) -> None:
    done = shell(f'postertui compare --runs "$1" {closed}', runs, XDG_STATE_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", ["leaderboard", "bars", "compare", "diagnose", "runs"])
def test_a_terminal_without_unicode(command: str, encoding: str, runs: Path) -> None:
    done = shell(f'postertui {command} --runs "$1"', runs, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    assert done.stdout
    assert "unexpected" not in done.stderr


def test_json_keeps_every_letter_on_any_terminal(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "Übersicht"
    done = shell(
        'postertui report --figure base --runs "$1" --out "$2" --json',
        runs,
        out,
        PYTHONIOENCODING="ascii",
    )
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)[0]["csv"]).parent == out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("raport", "No such command 'raport'. Did you mean report"),
        ("train --epochs 0", "0 is not in the range 1<=x<=10000; see `postertui train --help`"),
        ("report --compair x", "Did you mean '--compare'?; see `postertui report --help`"),
        ("export", "Missing option '-o' / '--output'; see `postertui export --help`"),
        ("data shew", "No such command 'shew'"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: str, says: str) -> None:
    done = postertui(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("postertui: ")
    assert says in line


def test_damaged_runs_are_counted_where_they_are_left_out(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", "base", epochs=3, state="done")
    (
        made_runs.folder / made_runs.add("Drama", "base", epochs=3, state="done") / "run.json"
    ).write_text("{")
    done = postertui("diagnose", "--runs", made_runs.folder)
    assert done.returncode == 0
    assert done.stderr == (
        f"postertui: {made_runs.folder}: left out 1 run: 1 damaged; `postertui doctor` says more\n"
    )


def test_what_the_machine_refuses_is_one_line(tmp_path: Path) -> None:
    """As a user who may not read the runs, nor write where the table should go."""
    made_runs = MadeRuns(tmp_path / "runs")
    run = made_runs.folder / made_runs.add("Comedy", "base", epochs=3, state="done")
    (tmp_path / "state").mkdir()
    (tmp_path / "out").mkdir(mode=0o500)

    def refused(*words: str | Path) -> str:
        done = subprocess.run(
            [*unprivileged(), sys.executable, "-m", "postertui", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")},
        )
        assert done.returncode in (1, 2, 3), done.stderr
        assert not list((tmp_path / "state").iterdir())
        return done.stderr

    where = ("--runs", made_runs.folder)
    assert "t.tsv: Permission denied" in refused("export", *where, "-o", tmp_path / "out" / "t.tsv")
    assert "Permission denied" in refused("report", *where, "--out", tmp_path / "out" / "reports")
    (made_runs.folder / ".supervisor.lock").touch(mode=0)
    assert refused("runs", *where).splitlines()[-1] == (
        f"postertui: {made_runs.folder / '.supervisor.lock'}: Permission denied"
    )
    assert refused("doctor", *where) == ""
    (run / "run.json").chmod(0)
    assert "left out 1 run: 1 damaged;" in refused("compare", *where)
    made_runs.folder.chmod(0)
    for command in ("runs", "compare", "report"):
        [line] = refused(command, *where).splitlines()
        assert line == f"postertui: {made_runs.folder}: Permission denied"
    made_runs.folder.chmod(0o700)


def unprivileged() -> list[str]:
    """What makes root a user like any other."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read everything")
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
