"""A runs folder, a cluster that trains for it, and what must be true whatever happened."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec
from postertui.supervisor import requests
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import is_held
from tests.support.cheap_trainer import CheapTrainer
from tests.support.ray_cluster import LocalCluster, Node, wait_for
from tests.support.supervisor import (
    assert_recorded_once,
    end_processes,
    ends,
    events_of,
    history,
    is_supervisor_over,
    job_of,
    make_spec,
    queue,
    read,
    recorded_epochs,
)

#: No run has more epochs than that; one is a matter of a millisecond unless it is held.
EPOCHS = 20

_seeds = itertools.count()


class Scene:
    """One study after the other in the same folder, so that they find their driver warm."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self.folder = cluster.client / "runs"
        self.folder.mkdir(mode=0o700, exist_ok=True)

    # Doing

    def queue(self, *genres: str, epochs: int = EPOCHS, **more: object) -> list[str]:
        """Queue a new run for each genre."""
        seed = next(_seeds)
        return queue(self.folder, *(make_spec(g, seed=seed, epochs=epochs, **more) for g in genres))

    def go(self, **more: float) -> None:
        """Have the cluster work on what is queued."""
        requests.ensure_supervisor(self.folder, on=self.cluster.address, **more)  # type: ignore[arg-type]

    def begin(self, *genres: str, hold: int | None = 3, epochs: int = EPOCHS) -> list[str]:
        """New runs, under way; no epoch after `hold` begins before `let_go`."""
        if hold is not None:
            self.hold(hold)
        names = self.queue(*genres, epochs=epochs)
        self.go()
        return names

    def hold(self, epoch: int) -> None:
        write_atomic(self.cluster.notes / "hold", str(epoch).encode())

    def let_go(self) -> None:
        (self.cluster.notes / "hold").unlink(missing_ok=True)

    @contextlib.contextmanager
    def pace(self, seconds: float) -> Iterator[None]:
        """An epoch takes so long meanwhile."""
        write_atomic(self.cluster.notes / "pace", str(seconds).encode())
        try:
            yield
        finally:
            (self.cluster.notes / "pace").unlink()

    def clear(self) -> None:
        """End what a test that failed has left, and forget it."""
        self.let_go()
        open_runs = [run for run in read(self.folder).values() if not run.is_closed]
        if open_runs or is_held(self.folder / layout.SUPERVISOR_LOCK):
            end_processes(self.folder)
            self.cluster.end_work()
            shutil.rmtree(self.folder)
            self.folder.mkdir(mode=0o700)

    # Looking

    def states(self, names: list[str]) -> set[str]:
        runs = read(self.folder)
        return {runs[name].state for name in names}

    def epochs(self, name: str) -> int:
        return recorded_epochs(self.folder, name)

    def starts(self, name: str) -> list[int]:
        """The first epoch of each attempt."""
        return [e["from_epoch"] for e in events_of(self.folder, name) if e["event"] == "start"]

    def ends(self, name: str) -> list[str]:
        return [e["status"] for e in ends(self.folder, name)]

    def node_of(self, name: str) -> Node:
        """The node on which the run's job is."""
        pid = job_of(self.folder, name).pid
        tag = psutil.Process(pid).environ()["POSTERTUI_TEST_CLUSTER"]
        return next(n for n in self.cluster.nodes if n.tag == tag)

    def agent_of(self, name: str) -> psutil.Process:
        parent = psutil.Process(job_of(self.folder, name).pid).parent()
        assert parent is not None
        assert "postertui.supervisor.backends.ray.agent" in parent.cmdline()
        return parent

    # Waiting

    def wait_for_epochs(self, names: list[str], epochs: int) -> None:
        def are_there() -> bool:
            return all(self.epochs(name) >= epochs for name in names)

        wait_for(are_there, self.failure(f"{epochs} epochs of each"))

    def wait_until_closed(self, names: list[str]) -> None:
        def all_closed() -> bool:
            runs = read(self.folder)
            return all(runs[name].is_closed for name in names)

        wait_for(all_closed, self.failure("the end of all runs"))

    def wait_until_over(self) -> None:
        wait_for(
            lambda: is_supervisor_over(self.folder),
            self.failure("the supervisor's end"),
        )

    def failure(self, what: str) -> FailureReport:
        return FailureReport(self, what)

    # What must be true

    def assert_intact(self, names: list[str]) -> None:
        """The runs are done as if nothing had happened; no agent works, nothing is claimed."""
        self.wait_until_closed(names)
        runs = read(self.folder)
        for name in names:
            assert runs[name].state == "done", self.failure(name)
            assert_recorded_once(self.folder, name)
            assert history(runs[name]) == undisturbed(self.cluster.folder / "calm", runs[name].spec)
        self.assert_over(names)

    def assert_over(self, names: list[str]) -> None:
        """No job works any more, and nothing is left of the runs' time on the cluster."""
        self.wait_until_over()
        for name in names:
            assert not is_locked(self.folder / name)
            leftovers = {"cluster", "cancel", "paused"} & {
                p.name for p in (self.folder / name).iterdir()
            }
            assert not leftovers
        wait_for(self.groups_are_empty, "the jobs' process groups to be empty")

    def groups_are_empty(self) -> bool:
        return not self.cluster.working("postertui.training.job")


class FailureReport:
    """The state of the folder and the cluster, read when a test fails."""

    def __init__(self, scene: Scene, what: str) -> None:
        self._scene = scene
        self._what = what

    def __str__(self) -> str:
        folder = self._scene.folder
        lines = [self._what, str(requests.status(folder))]
        lines += [
            f"{name}: {run.state} {self._scene.starts(name)} {self._scene.ends(name)}"
            for name, run in read(folder).items()
            if run.state != "done"
        ]
        lines += [" ".join(p.cmdline())[-80:] for p in self._scene.cluster.working()]
        with contextlib.suppress(OSError):
            lines.append((folder / ".supervisor.log").read_text()[-2000:])
        return "\n".join(lines)


def undisturbed(folder: Path, spec: RunSpec | None) -> list[tuple[float | None, ...]]:
    """The history that the run has where nothing goes wrong, trained here and now."""
    assert spec is not None
    [name] = queue(folder, spec)
    with EventWriter(folder / name / "events.jsonl") as writer:
        writer.append("start", from_epoch=1)
        for epoch in CheapTrainer().epochs(spec, None, lambda *_: None):
            writer.append("epoch", epoch=epoch.epoch, **epoch.metrics)
        writer.append("end", status="done")
    return history(read(folder)[name])
