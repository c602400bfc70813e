"""A queue on which no supervisor works is said, in the same words, by everything that shows it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.dashboard.monitoring.machine_monitor import MachineMonitor
from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.status_line import outlook_text
from postertui.dashboard.state.view_model import ViewModel
from postertui.doctor.runs import check_processes
from postertui.runs import layout
from postertui.runs.store import Store
from postertui.supervisor import folder as files
from postertui.supervisor import requests
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import is_held
from tests.support.supervisor import (
    events_of,
    kill,
    make_spec,
    pace,
    queue,
    states,
    supervisor_of,
    wait_for,
    wait_until_closed,
)


def read_store(folder: Path) -> Store:
    store = Store(folder, cache=False)
    store.refresh()
    return store


def said_everywhere(folder: Path) -> str:
    """What `runs` and `doctor` say, which is the same."""
    result = CliRunner().invoke(cli, ["runs", "--runs", str(folder)], standalone_mode=False)
    [by_runs] = [x for x in result.stderr.splitlines() if x.startswith("Waiting: ")]
    by_doctor = [finding.text for finding in check_processes(read_store(folder))]
    assert by_runs.removeprefix("Waiting: ") in by_doctor
    return by_runs


def test_killed_supervisor(folder: Path) -> None:
    pace(folder, 0.05)
    names = queue(folder, *(make_spec(seed=seed, epochs=200) for seed in range(3)))
    requests.ensure_supervisor(folder, jobs=1)
    wait_for(lambda: "running" in states(folder).values())
    supervisor = supervisor_of(folder)
    wait_for(lambda: requests.status(folder).queued == 2)
    kill(supervisor)
    expected = (
        "2 runs wait and no supervisor is at work (it was killed); `postertui resume` goes on"
    )
    assert said_everywhere(folder) == f"Waiting: {expected}"
    # What the dashboard and `train` show.
    assert requests.status(folder).waiting == expected
    # The job finishes its run meanwhile.
    pace(folder, 0)
    [trained] = [name for name in names if states(folder)[name] == "running"] or names[:1]
    wait_until_closed(folder, trained)
    assert "2 runs wait" in said_everywhere(folder)


def test_queue_without_any_supervisor(folder: Path) -> None:
    queue(folder, make_spec())
    assert said_everywhere(folder) == (
        "Waiting: 1 run waits and no supervisor is at work; `postertui resume` goes on"
    )


def test_dashboard_says_it_in_the_same_words(folder: Path) -> None:
    queue(folder, make_spec())
    feed = RunFeed(folder, lambda: None)
    feed.read()
    monitor = MachineMonitor(folder, lambda _: None, count_waiting=feed.count_waiting)
    machine = monitor.sample()
    assert said_everywhere(folder) == f"Waiting: {machine.status.waiting}"
    model = ViewModel()
    model.machine = machine
    outlook = outlook_text(None, None, idle=model.idle_message)
    assert str(machine.status.waiting) in "".join(text for text, _ in outlook)


def test_restarted_machine(folder: Path) -> None:
    queue(folder, make_spec())
    from postertui.system.processes import Process

    before = msgspec.structs.replace(Process.current(), boot="another boot")
    last = files.Status(running=True, process=before, queued=1)
    write_atomic(folder / layout.SUPERVISOR_STATUS, msgspec.json.encode(last))
    assert "(the machine was restarted)" in said_everywhere(folder)
    elsewhere = msgspec.structs.replace(before, host="gpu7")
    write_atomic(
        folder / layout.SUPERVISOR_STATUS,
        msgspec.json.encode(msgspec.structs.replace(last, process=elsewhere)),
    )
    assert "(the last one was on gpu7)" in said_everywhere(folder)


def test_paused_or_finished_is_not_unattended(folder: Path) -> None:
    assert requests.status(folder, open_runs=0).waiting is None
    queue(folder, make_spec())
    requests.pause(folder)
    assert said_everywhere(folder) == "Waiting: paused; `postertui resume` goes on"


def test_signals_to_the_supervisor(folder: Path) -> None:
    pace(folder, 0.05)
    queue(folder, *(make_spec(seed=seed, epochs=400) for seed in range(2)))
    requests.ensure_supervisor(folder, jobs=1)
    wait_for(lambda: "running" in states(folder).values())
    supervisor = supervisor_of(folder)
    # USR1 writes where it stands to its log, HUP reads the folder again, and both leave it alone.
    supervisor.signal(signal.SIGUSR1)
    log = folder / layout.SUPERVISOR_LOG
    wait_for(lambda: "1 waiting; nothing blocks" in log.read_text(), "its state in the log")
    [late] = queue(folder, make_spec("Drama", epochs=400))  # without being announced
    supervisor.signal(signal.SIGHUP)
    wait_for(lambda: requests.status(folder).queued == 2, "the folder to be read")
    # USR2 stops it as TERM does, and what was trained can be resumed.
    supervisor.signal(signal.SIGUSR2)
    wait_for(lambda: not is_held(folder / layout.SUPERVISOR_LOCK), "its end")
    assert set(states(folder).values()) <= {"queued", "interrupted"}
    assert states(folder)[late] == "queued"
    assert "(it was stopped)" in said_everywhere(folder)


def test_settings_that_do_not_count_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pace(folder, 0.05)
    monkeypatch.setenv("POSTERTUI_JOB_MEMORY_MB", "4000")
    [run] = queue(folder, make_spec(epochs=400))
    requests.ensure_supervisor(folder, jobs=1)
    try:
        wait_for(lambda: requests.status(folder).job_settings, "its settings")
        assert requests.ignored_settings(folder) == []
        monkeypatch.setenv("POSTERTUI_JOB_MEMORY_MB", "9000")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        lines = requests.ignored_settings(folder, device="cpu")
        assert lines[:3] == [
            "CUDA_VISIBLE_DEVICES= does not count: the supervisor at work was started without "
            "CUDA_VISIBLE_DEVICES",
            "POSTERTUI_JOB_MEMORY_MB=9000 does not count: the supervisor at work goes by "
            "POSTERTUI_JOB_MEMORY_MB=4000",
            "--device cpu does not count: the supervisor at work was started without --device",
        ]
        assert f"(pid {supervisor_of(folder).pid})" in lines[3]
        findings = " ".join(finding.text for finding in check_processes(read_store(folder)))
        assert "the supervisor goes by: 1 run at a time" in findings
        assert "4000 MB for each job" in findings
        # What makes them count: pause, the end of what runs, resume.
        requests.pause(folder)
        pace(folder, 0)
        wait_for(lambda: not is_held(folder / layout.SUPERVISOR_LOCK), "its end")
        queue(folder, make_spec(seed=1, epochs=400))
        pace(folder, 0.05)
        requests.resume(folder)
        requests.ensure_supervisor(folder, device="cpu")
        wait_for(lambda: requests.status(folder).job_settings, "its settings")
        assert requests.ignored_settings(folder, device="cpu") == []
        assert os.environ["POSTERTUI_JOB_MEMORY_MB"] == "9000"
        assert events_of(folder, run)[-1]["status"] == "done"
    finally:
        assert requests.stop_supervisor(folder, patience=60)
