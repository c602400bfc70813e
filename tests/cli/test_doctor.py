"""`postertui doctor` on what is well and on what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.doctor.folders import file_system, locks_work
from postertui.runs.lock import RunLock
from postertui.supervisor import requests
from postertui.supervisor.backends.local import RUNS_FOLDER_VARIABLE
from tests.support.poster_data import make_data
from tests.support.supervisor import (
    cheap_environment,
    make_spec,
    queue,
    supervisor_of,
    wait_for,
    wait_until_trained,
)
from tests.support.supervisor_fixtures import cheap, folder

__all__ = ["cheap", "folder"]


def doctor(*args: str) -> tuple[int, list[dict[str, str]]]:
    result = CliRunner().invoke(cli, ["doctor", "--json", *args], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, json.loads(result.stdout)


def texts(findings: list[dict[str, str]], area: str, status: str = "ok") -> str:
    return "\n".join(f["text"] for f in findings if (f["area"], f["status"]) == (area, status))


def test_everything_well_is_exit_code_0(folder: Path, tmp_path: Path) -> None:
    queue(folder, make_spec())
    data = make_data(tmp_path / "data")
    code, findings = doctor("--runs", str(folder), "--data", str(data))
    assert code == 0
    assert "postertui" in texts(findings, "versions")
    assert "Python" in texts(findings, "versions")
    assert "CPU cores" in texts(findings, "devices")
    assert "4 genres; posters by cohort: 0: 8, 2: 8" in texts(findings, "data")
    assert "writable, locks work" in texts(findings, "runs")
    assert "1 of 1 runs can be read" in texts(findings, "runs")
    assert "no supervisor" in texts(findings, "processes", "note")
    assert not list(folder.glob(".new-*"))


def test_for_people_each_finding_is_a_line_and_what_to_do_follows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postertui", "doctor", "--runs", str(tmp_path / "file" / "r")]
    (tmp_path / "file").touch()
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 1
    assert "wrong  runs " in result.stdout
    assert "to mend: " in result.stdout
    assert result.stderr == ""


def test_what_is_missing_or_damaged_is_told(folder: Path, tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    (data / "dataset.json").write_text("{")
    (folder / ".notes.json").write_text("{")
    code, findings = doctor("--runs", str(folder), "--data", str(data))
    assert code == 1
    assert "not a data set's description" in texts(findings, "data", "wrong")
    assert "not a notes file" in texts(findings, "runs", "wrong")
    code, findings = doctor("--runs", str(folder), "--data", str(tmp_path / "none"), "--repair")
    assert code == 0
    assert "no data folder" in texts(findings, "data", "note")
    assert (folder / ".damaged" / ".notes.json").read_text() == "{"
    assert not (folder / ".notes.json").exists()


def test_drafts_of_the_dead_are_removed_but_not_those_of_the_living(
    folder: Path, tmp_path: Path
) -> None:
    old, new = folder / ".new-old", folder / ".new-new"
    for draft in (old, new):
        draft.mkdir()
        (draft / "run.json").touch()
    # A job that was killed while it wrote its predictions; and a folder that is none of runs.
    [name] = queue(folder, make_spec())
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    of_run, foreign = folder / name / ".new-run", folder / "link" / ".new-foreign"
    for draft in (of_run, foreign):
        draft.touch()
    for draft in (old, of_run, foreign):
        os.utime(draft, (time.time() - 7200,) * 2)
    where = ("--runs", str(folder), "--data", str(tmp_path / "none"))
    assert "found 2 stale drafts" in texts(doctor(*where)[1], "runs", "note")
    assert "removed 2 stale drafts" in texts(doctor(*where, "--repair")[1], "runs")
    assert new.is_dir()
    assert foreign.exists()
    assert not old.exists()
    assert not of_run.exists()


def test_damaged_run_is_moved_aside_once_no_job_works_on_it(folder: Path, tmp_path: Path) -> None:
    [name] = queue(folder, make_spec())
    (folder / name / "run.json").write_text("{")
    where = ("--runs", str(folder), "--data", str(tmp_path / "none"), "--repair")
    lock = RunLock(folder / name)
    assert lock.acquire()
    [finding] = [f for f in doctor(*where)[1] if f["status"] == "wrong"]
    assert finding["mend"] == "a job works on it; cancel it first"
    assert (folder / name).is_dir()
    lock.release()
    assert f"moved {name} to {folder / '.damaged'}" in texts(doctor(*where)[1], "runs")
    assert (folder / ".damaged" / name / "run.json").read_text() == "{"


def test_supervisor_and_its_jobs_are_shown_and_orphans_are_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.05")
    [name] = queue(folder, make_spec(epochs=2000))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name)
    supervisor = supervisor_of(folder)
    where = ("--runs", str(folder), "--data", str(tmp_path / "none"))
    wait_for(lambda: requests.status(folder).jobs)
    code, findings = doctor(*where)
    assert code == 0
    assert f"supervisor {supervisor.pid}: 1 job," in texts(findings, "processes")

    # One that waits for a run from a supervisor that is long gone.
    waits = "import sys, time; print(flush=True); time.sleep(3600)"
    orphan = subprocess.Popen(
        [sys.executable, "-c", waits, "postertui.training.job"],
        env=cheap_environment() | {RUNS_FOLDER_VARIABLE: str(folder)},
        stdout=subprocess.PIPE,
    )
    assert orphan.stdout is not None
    orphan.stdout.readline()
    code, findings = doctor(*where)
    assert code == 1
    assert f"job {orphan.pid} belongs to no supervisor" in texts(findings, "processes", "wrong")
    code, findings = doctor(*where, "--repair")
    assert code == 0
    assert f"ended job {orphan.pid}" in texts(findings, "processes")
    orphan.wait(60)
    orphan.stdout.close()
    assert requests.stop_supervisor(folder, patience=60)


def test_job_without_its_supervisor_is_a_note_and_left_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.05")
    [name] = queue(folder, make_spec(epochs=2000))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name)
    supervisor_of(folder).signal(9)  # type: ignore[arg-type]
    wait_for(lambda: not requests.status(folder).running)
    where = ("--runs", str(folder), "--data", str(tmp_path / "none"))
    code, findings = doctor(*where, "--repair")
    assert code == 0
    assert f"trains {name} on its own" in texts(findings, "processes", "note")
    requests.cancel(folder, [name])


MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
30 21 0:40 / /home rw - nfs4 server:/home rw
31 30 8:2 / /home/a\\040b rw - xfs /dev/sdb rw
32 21 0:5 / /homework rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/x", "ext4"), ("/home/me/runs", "nfs4"), ("/home/a b/c", "xfs"), ("/homework/1", "tmpfs")],
)
def test_kind_of_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_network_file_system_is_said_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.doctor.folders.file_system", lambda _: "nfs4")
    code, findings = doctor("--runs", str(folder), "--data", str(tmp_path / "none"))
    assert code == 0
    assert "network file system (nfs4)" in texts(findings, "runs", "note")


def test_locks_that_do_not_keep_anybody_out_are_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locks_work(folder)
    # A file system on which the second one gets the lock too: the child finds another file.
    monkeypatch.setattr("postertui.doctor.folders._PROBE", "import sys; sys.exit(9)")
    assert not locks_work(folder)
    code, findings = doctor("--runs", str(folder), "--data", str(tmp_path / "none"))
    assert code == 1
    assert "does not keep flock locks" in texts(findings, "runs", "wrong")
