"""A run's folder on a node, and what is collected of it at the other end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postertui.runs.events import DamagedEventsError
from postertui.runs.lock import RunLock, is_locked
from postertui.supervisor.backends.ray import node_folder
from postertui.supervisor.backends.ray.collector import Collector, submitted_runs
from postertui.supervisor.backends.ray.event_lines import (
    parse_lines,
)
from postertui.training.job import checkpoints
from tests.support.ray_messages import event, history
from tests.support.supervisor import events_of, make_spec, queue, states


def prepare(folder: Path, known: bytes, checkpoint: tuple[int, bytes] | None = None) -> bytes:
    """What would be passed on of what the node has, after it was made ready."""
    size = node_folder.prepare_run_folder(folder, make_spec(), parse_lines(known), checkpoint)
    return (folder / "events.jsonl").read_bytes()[size:]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


def test_own_history_that_continues_stays_with_its_checkpoint(run: Path) -> None:
    (run / "events.jsonl").write_bytes(history(1, 0, 1, 2) + b'{"torn')
    (run / "checkpoint").write_bytes(b"state")
    (run / "cancel").touch()
    assert prepare(run, history(1, 0)) == history(1, 1, 2)
    assert (run / "checkpoint").exists()
    assert not (run / "cancel").exists()


def test_own_history_that_stops_earlier_is_completed(run: Path) -> None:
    (run / "events.jsonl").write_bytes(history(1, 0, 1))
    (run / "checkpoint").write_bytes(b"state")
    own_events = history(1, 0, 1) + event(1, 2, "end", status="interrupted")
    assert prepare(run, own_events) == b""
    assert (run / "events.jsonl").read_bytes() == own_events
    assert (run / "checkpoint").exists()


def test_another_history_goes_and_with_it_its_checkpoint(run: Path) -> None:
    (run / "events.jsonl").write_bytes(history(1, 0, 1, 2, time=5.0))
    (run / "checkpoint").write_bytes(b"state")
    assert prepare(run, history(1, 0, 1)) == b""
    assert (run / "events.jsonl").read_bytes() == history(1, 0, 1)
    assert not (run / "checkpoint").exists()


def test_training_continues_from_the_drivers_checkpoint(run: Path) -> None:
    own_events = event(1, 0, "start", from_epoch=1) + b"".join(
        event(1, epoch, epoch=epoch, checkpoint=True) for epoch in (1, 2, 3)
    )
    prepare(run, own_events, (2, b"state after 2"))
    path, epoch = checkpoints.recover(run, events_of(run.parent, run.name))
    assert epoch == 2
    assert path is not None
    assert path.read_bytes() == b"state after 2"
    # To everybody else it is the same history still.
    assert prepare(run, own_events + history(1, 4)) == b""


def test_without_a_kept_checkpoint_the_run_starts_over(run: Path) -> None:
    own_events = event(1, 0, "start", from_epoch=1) + event(1, 1, epoch=1, checkpoint=True)
    prepare(run, own_events)
    assert checkpoints.recover(run, events_of(run.parent, run.name)) == (None, 0)


def test_held_runs_leave_out_what_is_worked_on_and_what_is_old(tmp_path: Path) -> None:
    for name in ("waits", "is-worked-on", "is-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_bytes(history(1, 0, 1))
    os.utime(tmp_path / "is-old", (0, 0))
    with RunLock(tmp_path / "is-worked-on") as lock:
        assert lock.acquire()
        assert node_folder.count_held_lines(tmp_path) == {"waits": 2}
    assert not (tmp_path / "is-old").exists()


def test_collected_lines_are_deduplicated_and_the_first_end_wins(tmp_path: Path) -> None:
    [name] = queue(tmp_path, make_spec())
    collector = Collector(tmp_path)
    assert collector.claim(name, "study")
    assert is_locked(tmp_path / name)
    assert submitted_runs(tmp_path) == {name: "study"}
    start = event(1, 0, "start", from_epoch=1)
    collector.add_lines(name, start + history(1, 1, 2))
    collector.add_lines(name, history(1, 1, 2, 3))
    assert collector.flush()
    assert states(tmp_path) == {name: "running"}
    end = event(1, 4, "end", status="done")
    collector.add_lines(name, end + history(1, 5) + event(1, 6, "end", status="failed"))
    assert collector.flush()
    assert (tmp_path / name / "events.jsonl").read_bytes() == start + history(1, 1, 2, 3) + end
    collector.release(name)
    assert not is_locked(tmp_path / name)
    assert not submitted_runs(tmp_path)


def test_a_locked_or_damaged_run_is_not_claimed(tmp_path: Path) -> None:
    held, damaged = queue(tmp_path, make_spec("Comedy"), make_spec("Drama"))
    collector = Collector(tmp_path)
    with RunLock(tmp_path / held) as lock:
        assert lock.acquire()
        assert not collector.claim(held, "study")
    (tmp_path / damaged / "events.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(DamagedEventsError):
        collector.claim(damaged, "study")
    assert not is_locked(tmp_path / damaged)


def test_what_finds_no_room_is_kept_until_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = queue(tmp_path, make_spec())
    collector = Collector(tmp_path)
    assert collector.claim(name, "study")

    def refuse(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as full:
        full.setattr(os, "write", refuse)
        collector.add_lines(name, history(1, 0, 1))
        assert not collector.flush()
        assert collector.is_pending(name)
    collector.add_lines(name, history(1, 1, 2))
    assert collector.flush()
    assert (tmp_path / name / "events.jsonl").read_bytes() == history(1, 0, 1, 2)
