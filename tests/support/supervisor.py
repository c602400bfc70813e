"""Runs folders with cheap runs, real processes on them, and what must be true afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from postertui.runs import layout
from postertui.runs.events import Event, parse_events
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec, write_spec
from postertui.runs.store import METRICS, Run, Store
from postertui.study import Variant
from postertui.supervisor import requests
from postertui.supervisor.folder import read_status
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import is_held
from postertui.system.processes import Process
from tests.support.specs import made_spec

ROOT = Path(__file__).resolve().parents[2]
CHEAP = "tests.support.cheap_trainer:CheapTrainer"

#: Generous, because the machine may be busy; nothing asserts how long a thing takes.
PATIENCE = 90.0

#: What a run's folder may hold when the run is done.
SETTLED = {"run.json", "events.jsonl", "log.txt", "lock"}

#: And those of a done run, on the machine that trained it.
DONE = SETTLED | {"predictions.parquet", "weights.npz"}


def make_spec(genre: str = "Comedy", *, seed: int = 0, epochs: int = 5, **more: Any) -> RunSpec:
    variant = more.pop("variant", "base")
    if isinstance(variant, str):
        variant = Variant(name=variant, epochs=epochs)
    return made_spec(variant, genre, seed=seed, **more)


def queue(folder: Path, *specs: RunSpec) -> list[str]:
    for spec in specs:
        write_spec(folder, spec)
    return [spec.run for spec in specs]


def cheap_environment(**more: str) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "POSTERTUI_TRAINER": CHEAP,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **more,
    }


def wait_for(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """Poll until `condition` holds; what it answered."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"gave up waiting for {what or condition}"
        time.sleep(0.02)
    return answer


def pace(folder: Path, seconds: float) -> None:
    """From now on an epoch of the runs in `folder` takes so long."""
    write_atomic(folder.parent / "notes" / "pace", str(seconds).encode())


# Looking


def read(folder: Path) -> dict[str, Run]:
    store = Store(folder, cache=False)
    store.refresh()
    return store.runs.copy()


def states(folder: Path) -> dict[str, str]:
    return {name: run.state for name, run in read(folder).items()}


def events_of(folder: Path, run: str) -> list[Event]:
    try:
        return parse_events((folder / run / "events.jsonl").read_bytes())[0]
    except FileNotFoundError:
        return []


def recorded_epochs(folder: Path, run: str) -> int:
    """How many epochs the run's file holds, over all attempts."""
    return sum(e["event"] == "epoch" for e in events_of(folder, run))


def ends(folder: Path, run: str) -> list[Event]:
    return [e for e in events_of(folder, run) if e["event"] == "end"]


def history(run: Run) -> list[tuple[float | None, ...]]:
    """The epochs to the bit, without what depends on the clock."""
    names = ["epoch", *(m for m in METRICS if m != "seconds")]
    return list(zip(*(run.epochs.values(name) for name in names), strict=True))


# Waiting


def wait_until_trained(folder: Path, run: str, epochs: int = 1) -> None:
    """Wait until a job works on the run and has recorded so many epochs."""
    wait_for(
        lambda: is_locked(folder / run) and recorded_epochs(folder, run) >= epochs,
        f"{run} to be trained",
    )


def wait_until_closed(folder: Path, run: str) -> None:
    wait_for(lambda: read(folder)[run].is_closed, f"{run} to have its end")


def is_supervisor_over(folder: Path) -> bool:
    """Whether no supervisor is at work on the folder, and the process of the last one has ended.

    A free lock is not enough: having released it, the supervisor looks once more for runs that came
    in meanwhile, and would train what a test queues next, in the environment that it began with.
    """
    if is_held(folder / layout.SUPERVISOR_LOCK):
        return False
    process = read_status(folder).process
    return process is None or not process.is_alive()


def wait_until_over(folder: Path) -> None:
    """Wait until the supervisor has nothing left to do and its process has ended."""
    wait_for(lambda: is_supervisor_over(folder), "the supervisor's end")


def train_all(folder: Path, jobs: int = 2) -> None:
    requests.ensure_supervisor(folder, jobs=jobs)
    wait_until_over(folder)


def train_slowly(folder: Path, *specs: RunSpec, jobs: int = 1, epochs: int = 1) -> list[str]:
    """Have the specs trained slowly; when the first `jobs` have so many epochs, all names."""
    pace(folder, 0.05)
    names = queue(folder, *specs)
    requests.ensure_supervisor(folder, jobs=jobs)
    for name in names[:jobs]:
        wait_until_trained(folder, name, epochs)
    return names


def supervisor_of(folder: Path) -> Process:
    """The supervisor at work, once it has said who it is."""

    def find() -> Process | None:
        status = requests.status(folder)
        return status.process if status.running and status.process else None

    process: Process = wait_for(find, "a supervisor")
    return process


def job_of(folder: Path, run: str) -> Process:
    """The job that works on the run, by the run's newest start."""

    def find() -> Process | None:
        starts = [e for e in events_of(folder, run) if e["event"] == "start"]
        owner = Process.from_event(starts[-1]) if starts and is_locked(folder / run) else None
        return owner if owner is not None and owner.is_alive() else None

    process: Process = wait_for(find, f"the job of {run}")
    return process


def kill(process: Process) -> None:
    """kill -9, and wait until the process has let go of everything."""
    assert process.signal(signal.SIGKILL)
    # Its first thread may be a zombie while others still hold its locks.
    threads = Path(f"/proc/{process.pid}/task")
    wait_for(
        lambda: not process.is_alive() and sum(1 for _ in threads.glob("*")) <= 1,
        "a killed process to be gone",
    )


def start_job(folder: Path, run: str, **environment: str) -> subprocess.Popen[str]:
    """A job for one run without a supervisor."""
    return subprocess.Popen(
        [sys.executable, "-m", "postertui.training.job", str(folder / run)],
        env=cheap_environment(**environment),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_processes(folder: Path) -> None:
    """End whatever a test that failed has left working on the folder."""
    processes = processes_of(folder)
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process whose command line or environment names the folder, zombies included."""
    pids = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in word for word in words):
            pids.append(process)
    return pids


# What must be true


def undisturbed(tmp: Path, specs: Iterable[RunSpec]) -> dict[str, list[tuple[float | None, ...]]]:
    """The histories that the specs have where nothing goes wrong."""
    calm = tmp / "calm"
    names = queue(calm, *specs)
    jobs = [start_job(calm, name, CHEAP_SECONDS="0", CHEAP_NOTES="") for name in names]
    for job in jobs:
        _, errors = job.communicate(timeout=PATIENCE)
        assert (job.returncode, errors) == (0, "")
    return {name: history(run) for name, run in read(calm).items()}


def assert_recorded_once(folder: Path, run: str) -> None:
    """Every line has its own number, and within an attempt every epoch follows the one before."""
    events = events_of(folder, run)
    assert [e["seq"] for e in events] == list(range(len(events)))
    due = None
    for event in events:
        if event["event"] == "start":
            due = event["from_epoch"]
        elif event["event"] == "epoch":
            assert event["epoch"] == due
            due += 1
    assert all(a["attempt"] <= b["attempt"] for a, b in itertools.pairwise(events))


def assert_as_if_undisturbed(folder: Path, tmp: Path, *specs: RunSpec) -> None:
    """All specs are done, with the history of an undisturbed run, and nothing is left behind."""
    calm = undisturbed(tmp, specs)
    runs = read(folder)
    for spec in specs:
        run = runs[spec.run]
        assert (run.state, run.reason) == ("done", None)
        assert_recorded_once(folder, spec.run)
        assert history(run) == calm[spec.run]
        assert len(history(run)) == spec.variant.epochs
    assert_nothing_left(folder, *(spec.run for spec in specs))


def assert_nothing_left(folder: Path, *done: str) -> None:
    """No process, no held lock, no draft; of the `done` runs only what a done run has."""
    wait_for(lambda: not processes_of(folder), f"the processes of {folder} to end")
    assert not list(folder.glob(".new-*"))
    for path in folder.iterdir():
        if path.is_dir() and path.name[0] != "." and (path / "lock").is_file():
            assert not is_locked(path)
    for run in done:
        assert SETTLED <= {p.name for p in (folder / run).iterdir()} <= DONE
