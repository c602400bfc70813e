"""Kills every process, again and again, while runs are trained; then counts what went wrong.

Real supervisors, jobs and clients on a real runs folder, with `tests.support.cheap_trainer`;
kill -9 at random moments. New runs are queued as others end, the dead are replaced by asking
again. In the end every run must be done and its history equal, to the bit, to one that
was trained undisturbed.

`lost`      epochs that a reader has seen and that are not in the end's history, or differ in it
`doubled`   epochs told twice without a start in between, or event numbers that repeat
`stuck`     runs that never came to be done, locks still held and processes still alive
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from postertui.runs import layout
from postertui.runs.events import Event, parse_events
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec, write_spec
from postertui.runs.store import METRICS, Run
from postertui.study import Variant
from postertui.supervisor import requests
from postertui.system.locks import is_held
from postertui.system.processes import Process
from tests.support.specs import made_spec
from tests.support.supervisor import read

GENRES = ("Comedy", "Drama", "Horror", "Western")
EPOCHS = 30

#: Runs that are open at any time; two are trained, so that some wait.
OPEN = 4

#: Seconds without a new event after which what is left counts as stuck.
PATIENCE = 120.0

#: What is killed, and how often of a hundred times.
VICTIMS = {"job": 50, "supervisor": 25, "supervisor and jobs": 10, "two jobs": 5, "client": 10}

_CLIENT = """
import sys
from pathlib import Path
from tests.support import chaos
from postertui.supervisor import requests
folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chaos.queue(folder, [chaos.spec(n) for n in range(first, first + count)])
requests.ensure_supervisor(folder, jobs=2)
"""


@dataclass
class Outcome:
    """What the benchmark counts; the last three have to be 0."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    epochs: int = 0
    attempts: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.stuck)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {what}" for what, count in self.kills.most_common())
        return (
            f"{self.kills.total()} kills ({kills}) in {self.seconds:.0f} s; "
            f"{self.runs} runs in {self.attempts} attempts, {self.epochs} epochs told\n"
            f"lost {self.lost}, doubled {self.doubled}, stuck {self.stuck}"
        )


class Chaos:
    """A runs folder below `root` on which `kills` processes are killed."""

    def __init__(self, root: Path, kills: int, seed: int) -> None:
        self._folder = root / "runs"
        self._calm = root / "calm"
        self._kills = kills
        self._rng = random.Random(seed)
        self._asked = 0
        self._read: dict[str, bytes] = {}
        self.outcome = Outcome()

    def run(self) -> Outcome:
        began = time.monotonic()
        while self.outcome.kills.total() < self._kills:
            self._keep_busy()
            time.sleep(self._rng.expovariate(1 / 0.08))
            self._remember()
            self._kill(self._rng.choices(list(VICTIMS), list(VICTIMS.values()))[0])
        specs = [spec(n) for n in range(self._asked)]
        self._finish(specs)
        self._count(specs)
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _keep_busy(self) -> None:
        """Enough open runs, none given up, and a supervisor."""
        runs = read(self._folder)
        requests.retry(self._folder, [run.name for run in runs.values() if run.state == "failed"])
        missing = OPEN - sum(run.state != "done" for run in runs.values())
        if missing > 0:
            queue(self._folder, [spec(self._asked + n) for n in range(missing)])
            self._asked += missing
        requests.ensure_supervisor(self._folder, jobs=2)

    def _kill(self, what: str) -> None:
        if what == "client":
            self._kill_client()
            return
        supervisor = requests.status(self._folder).process
        jobs: list[Process | None] = list(self._jobs())
        self._rng.shuffle(jobs)
        choices: dict[str, list[Process | None]] = {
            "job": jobs[:1],
            "two jobs": jobs[:2],
            "supervisor": [supervisor],
            "supervisor and jobs": [supervisor, *jobs],
        }
        for victim in choices[what]:
            if victim is not None and victim.signal(signal.SIGKILL):
                kind = "supervisor" if victim is supervisor else "job"
                self.outcome.kills[kind] += 1

    def _kill_client(self) -> None:
        command = [sys.executable, "-c", _CLIENT, str(self._folder), str(self._asked), "2"]
        client = subprocess.Popen(command, start_new_session=True)
        self._asked += 2
        try:
            client.wait(self._rng.random() * 0.5)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()
            self.outcome.kills["client"] += 1
        # Whether or not it came to it: the same may be asked for again.
        queue(self._folder, [spec(self._asked - 2), spec(self._asked - 1)])

    def _jobs(self) -> Iterator[Process]:
        for name in read(self._folder):
            if is_locked(self._folder / name):
                starts = [e for e in self._events(name) if e["event"] == "start"]
                owner = Process.from_event(starts[-1]) if starts else None
                if owner is not None:
                    yield owner

    def _events(self, name: str) -> list[Event]:
        try:
            return parse_events((self._folder / name / "events.jsonl").read_bytes())[0]
        except FileNotFoundError:
            return []

    def _remember(self) -> None:
        """What can be read now has to stay readable."""
        for path in self._folder.glob("*/events.jsonl"):
            data = path.read_bytes()
            self._read[path.parent.name] = data[: data.rfind(b"\n") + 1]

    def _finish(self, specs: list[RunSpec]) -> None:
        """Ask again until everything is done, or nothing has happened for long."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < PATIENCE:
            runs = read(self._folder)
            if all(run.state == "done" for run in runs.values()) and len(runs) == len(specs):
                break
            failed = [run.name for run in runs.values() if run.state == "failed"]
            requests.retry(self._folder, failed)
            requests.ensure_supervisor(self._folder, jobs=2)
            time.sleep(0.2)
            now = sum(p.stat().st_size for p in self._folder.glob("*/events.jsonl"))
            if now != size:
                size, since = now, time.monotonic()
        while (
            is_held(self._folder / layout.SUPERVISOR_LOCK) and time.monotonic() - since < PATIENCE
        ):
            time.sleep(0.1)

    def _count(self, specs: list[RunSpec]) -> None:
        train_undisturbed(self._calm, specs)
        calm, runs = read(self._calm), read(self._folder)
        for each in specs:
            run = runs.get(each.run)
            if run is None or run.state != "done" or is_locked(self._folder / each.run):
                self.outcome.stuck += 1
            self.outcome.runs += 1
            if run is None:
                continue
            self.outcome.lost += missing_epochs(history(run), history(calm[each.run]))
            events = self._events(each.run)
            self.outcome.attempts += run.attempt
            self.outcome.epochs += sum(e["event"] == "epoch" for e in events)
            self.outcome.doubled += told_twice(events)
        for name, data in self._read.items():
            now = (self._folder / name / "events.jsonl").read_bytes()
            if not now.startswith(data):
                self.outcome.lost += 1
        self.outcome.stuck += sum(1 for _ in processes_of(self._folder))


def spec(number: int) -> RunSpec:
    """The `number`-th run that is asked for."""
    genre, seed = GENRES[number % len(GENRES)], number // len(GENRES)
    variant = Variant(name="base", epochs=EPOCHS)
    return made_spec(variant, genre, seed=seed, created=float(number))


def queue(folder: Path, specs: Iterable[RunSpec]) -> None:
    for each in specs:
        write_spec(folder, each)


def train_undisturbed(folder: Path, specs: Iterable[RunSpec]) -> None:
    queue(folder, specs)
    requests.ensure_supervisor(folder, jobs=2)
    while is_held(folder / layout.SUPERVISOR_LOCK):
        time.sleep(0.1)


def history(run: Run) -> dict[int, tuple[float | None, ...]]:
    """The run's epochs without what depends on the clock."""
    names = [name for name in METRICS if name != "seconds"]
    values = zip(*(run.epochs.values(name) for name in names), strict=True)
    return dict(zip(map(int, run.epochs.array("epoch")), values, strict=True))


def missing_epochs(
    found: dict[int, tuple[float | None, ...]], calm: dict[int, tuple[float | None, ...]]
) -> int:
    """How many of the undisturbed epochs are missing or differ."""
    return sum(found.get(epoch) != values for epoch, values in calm.items())


def told_twice(events: list[Event]) -> int:
    """How many epochs are told again although no start came before them."""
    doubled, newest = 0, 0
    for event in events:
        if event["event"] == "start":
            newest = event["from_epoch"] - 1
        elif event["event"] == "epoch":
            doubled += int(event["epoch"] != newest + 1)
            newest = event["epoch"]
    return doubled + sum(bool(event["seq"] != place) for place, event in enumerate(events))


def processes_of(folder: Path) -> Iterator[psutil.Process]:
    """Who still works for the folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("POSTERTUI_RUNS_FOLDER", "")]
            if process.pid != os.getpid() and str(folder) in words:
                yield process
