"""A store follows growing files and agrees, at any moment, with one that reads them anew."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui.runs.events import EventWriter, encode_event
from postertui.runs.lock import RunLock
from postertui.runs.notes import Note, change_notes
from postertui.runs.store import Store, reader
from postertui.runs.store.due_runs import TURN
from postertui.runs.store.identity import Identity, run_identity
from postertui.runs.store.reader import BATCH
from postertui.supervisor import requests
from tests.support.many_runs import write_runs
from tests.support.run_contents import contents_of, uncached_contents
from tests.support.supervisor import make_spec, queue

numbers = st.one_of(st.floats(width=32), st.just(math.nan))
epoch_fields = st.fixed_dictionaries(
    {"train_loss": numbers}, optional={"test_fscore": numbers, "test_tp": st.integers(0, 10**6)}
)


@st.composite
def happenings(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Events as attempts write them: starts that go back, epochs one after the other, ends."""
    events: list[tuple[str, dict[str, Any]]] = []
    newest = 0
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(1, newest + 1))
        events.append(("start", {"from_epoch": first, "pid": 1}))
        newest = first - 1
        for _ in range(draw(st.integers(0, 4))):
            newest += 1
            events.append(("epoch", {"epoch": newest, **draw(epoch_fields)}))
        end = draw(st.sampled_from([None, "interrupted", "failed", "done"]))
        if end is not None:
            events.append(("end", {"status": end, "reason": "r"}))
            if draw(st.booleans()):
                events.append(("requeue", {}))
    return events


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=happenings(), cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_reading_bit_by_bit_is_reading_at_once(
    events: list[tuple[str, dict[str, Any]]], cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        [name] = queue(folder, make_spec())
        lines, attempt = [], 0
        for number, (kind, fields) in enumerate(events):
            attempt += kind == "start"
            lines.append(encode_event(number, max(1, attempt), kind, fields, float(number)))
        data = b"".join(lines)
        path = folder / name / "events.jsonl"
        store = Store(folder, cache=False)
        for cut in sorted(min(cut, len(data)) for cut in cuts):
            path.write_bytes(data[:cut])
            store.refresh()
            assert contents_of(store) == uncached_contents(folder)
        path.write_bytes(data)
        changed = store.refresh()
        assert contents_of(store) == uncached_contents(folder)
        assert store.refresh() == set()
        assert changed <= {name}
        # By hand: what an attempt starts over replaces what was there from that epoch on.
        expected: dict[int, dict[str, Any]] = {}
        for kind, fields in events:
            first: int = fields.get("from_epoch", fields.get("epoch", 10**6))
            expected = {e: f for e, f in expected.items() if e < first}
            if kind == "epoch":
                expected[first] = fields
        run = store.runs[name]
        assert [int(e) for e in run.epochs.array("epoch")] == list(expected)
        for metric in ("train_loss", "test_fscore", "test_tp"):
            expected_values = [f.get(metric) for f in expected.values()]
            finite = [None if v is None or not math.isfinite(v) else v for v in expected_values]
            assert run.epochs.values(metric) == finite


def test_infinite_metrics_are_undefined(tmp_path: Path) -> None:
    [name] = queue(tmp_path, make_spec())
    with EventWriter(tmp_path / name / "events.jsonl") as writer:
        writer.append("epoch", epoch=1, train_loss=math.inf, test_loss=1.5)
    store = Store(tmp_path)
    store.refresh()
    assert store.runs[name].newest("train_loss") is None
    assert store.runs[name].newest("test_loss") == 1.5


def test_what_was_given_out_does_not_change_when_the_run_goes_on(tmp_path: Path) -> None:
    [name] = queue(tmp_path, make_spec())
    store = Store(tmp_path)
    with EventWriter(tmp_path / name / "events.jsonl") as writer:
        writer.append("start", from_epoch=1)
        writer.append("epoch", epoch=1, train_loss=1.0)
        writer.append("epoch", epoch=2, train_loss=2.0)
        store.refresh()
        before = store.runs[name].epochs
        writer.append("start", from_epoch=2)
        writer.append("epoch", epoch=2, train_loss=5.0)
    store.refresh()
    assert before.values("train_loss") == [1.0, 2.0]
    assert store.runs[name].epochs.values("train_loss") == [1.0, 5.0]


def test_runs_that_come_go_and_are_replaced_are_seen(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    store = Store(folder)
    assert store.refresh() == set()
    [a] = queue(folder, make_spec("Comedy"))
    assert store.refresh() == {a}
    requests.cancel(folder, [a])
    assert store.refresh() == {a}
    assert store.runs[a].state == "cancelled"
    shutil.rmtree(folder / a)
    [b] = queue(folder, make_spec("Drama"))
    assert store.refresh() == {a, b}
    queue(folder, make_spec("Comedy"))
    assert store.refresh() == {a}
    assert store.runs[a].state == "queued"
    shutil.rmtree(folder)
    assert store.refresh() == {a, b}
    assert store.runs == {}


def test_lock_wishes_and_notes_are_seen_without_an_event(tmp_path: Path) -> None:
    [name] = queue(tmp_path, make_spec())
    store = Store(tmp_path)
    store.refresh()
    with RunLock(tmp_path / name) as lock:
        assert lock.acquire()
        assert store.refresh() == {name}
        assert store.runs[name].locked
        requests.cancel(tmp_path, [name])
        assert store.refresh() == {name}
        assert store.runs[name].cancelling
    assert store.refresh() == {name}
    change_notes(tmp_path, [name], lambda _: Note("look at this", ("good",), True))
    assert store.refresh() == {name}
    assert store.runs[name].record()["tag"] == ("good",)
    (tmp_path / ".notes.json").write_text("{")
    store.refresh()
    assert store.runs[name].note.text == "look at this"


def write_events(path: Path, *epochs: float, more: bytes = b"") -> None:
    """A done run of those losses; an existing file stays the same file."""
    lines = [
        encode_event(n, 1, "epoch", {"epoch": n, "train_loss": loss}, 0.0)
        for n, loss in enumerate(epochs, 1)
    ]
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(0)
        file.write(b"".join(lines) + encode_event(9, 1, "end", {"status": "done"}, 0.0) + more)


@pytest.mark.parametrize("cache", [False, True])
def test_events_that_are_others_and_not_only_more_are_read_from_the_start(
    tmp_path: Path, cache: bool
) -> None:
    [name] = queue(tmp_path, make_spec())
    path = tmp_path / name / "events.jsonl"
    write_events(path, 1.0, 2.0)
    store = Store(tmp_path, cache=cache)

    def losses() -> list[float | None]:
        assert store.refresh() == {name}
        assert contents_of(store) == uncached_contents(tmp_path)
        if cache:
            store._save_cache()
            later = Store(tmp_path)
            later.refresh()
            assert contents_of(later) == contents_of(store)
        return store.runs[name].epochs.values("train_loss")

    assert losses() == [1.0, 2.0]
    write_events(path, 3.0)
    assert losses() == [3.0]
    # A longer file in place of the old one, as a copy or `rsync` makes it.
    write_events(path.with_name("new"), 4.0, 5.0, 6.0)
    path.with_name("new").replace(path)
    assert losses() == [4.0, 5.0, 6.0]
    write_events(path, 7.0, more=b"nonsense\n")
    assert losses() == [7.0]
    assert store.runs[name].damage is not None
    # Mended by hand, which made it longer.
    write_events(path, 7.0, 8.0, 9.0)
    assert losses() == [7.0, 8.0, 9.0]
    assert store.runs[name].damage is None


def test_closed_run_with_a_torn_line_after_its_end_is_not_kept_as_read_to_its_end(
    tmp_path: Path,
) -> None:
    [name] = queue(tmp_path, make_spec())
    path = tmp_path / name / "events.jsonl"
    requeue = encode_event(10, 1, "requeue", {}, 0.0)
    write_events(path, 1.0, more=requeue[:-5])
    store = Store(tmp_path)
    store.refresh()
    store._save_cache()
    store = Store(tmp_path)
    store.refresh()
    assert store.runs[name].state == "done"
    with path.open("ab") as file:
        file.write(requeue[-5:])
    assert store.refresh() == {name}
    assert store.runs[name].state == "queued"


def test_a_bell_or_some_patience_shows_the_change_of_one_among_many(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, TURN + 100, epochs=1)
    store = Store(folder)
    store.refresh()
    names = sorted(store.runs)
    requests.retry(folder, [names[0]])  # a done run: nothing happens, but the bell is rung
    assert store.refresh() == set()
    with EventWriter(folder / names[7] / "events.jsonl") as writer:
        writer.append("requeue")
    seen: set[str] = set()
    for _ in range(3):
        seen |= store.refresh()
    assert seen == {names[7]}
    with EventWriter(folder / names[9] / "events.jsonl") as writer:
        writer.append("requeue")
    requests.notify(folder)
    assert store.refresh() == {names[9]}


@pytest.mark.parametrize("from_cache", [False, True])
def test_among_many_a_started_run_is_followed_without_a_bell(
    tmp_path: Path, from_cache: bool
) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, 2 * TURN + 100, epochs=1)
    store = Store(folder, cache=from_cache)
    store.refresh()
    if from_cache:
        store._save_cache()
        store = Store(folder)
        store.refresh()
    name = max(store.runs)
    assert store.waiting_runs == 0
    with EventWriter(folder / name / "events.jsonl") as writer:
        writer.append("requeue")
        requests.notify(folder)
        assert store.refresh() == {name}
        assert store.waiting_runs == 1
        writer.append("start", from_epoch=2)
        requests.notify(folder)
        assert store.refresh() == {name}
        for epoch in (2, 3, 4):
            writer.append("epoch", epoch=epoch)
            assert store.refresh() == {name}
        assert store.waiting_runs == 1  # Interrupted, for no process holds its lock.
        writer.append("end", status="done")
        assert store.refresh() == {name}
        assert store.waiting_runs == 0
        writer.append("requeue")
        requests.notify(folder)
        assert store.refresh() == {name}
    shutil.rmtree(folder / name)
    assert store.refresh() == {name}
    assert store.refresh() == set()
    assert store.waiting_runs == 0


def test_what_is_announced_while_many_runs_are_read_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, 2 * BATCH + 100, epochs=1)
    # Not one of those that would be looked at in turn anyway.
    name = sorted(path.name for path in folder.iterdir())[BATCH + 50]
    store = Store(folder)
    store.refresh(patience=0.0)
    store.refresh(patience=0.0)
    assert name in store.runs
    assert not store.is_complete
    with EventWriter(folder / name / "events.jsonl") as writer:
        writer.append("requeue")
    requests.notify(folder)
    assert name in store.refresh()
    assert store.runs[name].state == "queued"


def test_runs_that_were_just_read_are_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, 3 * BATCH, epochs=1)
    looks: list[str] = []

    def look(path: str) -> Identity:
        looks.append(path)
        return run_identity(path)

    monkeypatch.setattr(reader, "run_identity", look)
    store = Store(folder, cache=False)
    store.refresh(patience=0.0)
    while not store.is_complete:
        store.refresh(patience=0.0)
    assert 3 * BATCH <= len(looks) <= 4 * BATCH


def test_of_many_new_runs_some_are_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    folder = tmp_path / "runs"
    write_runs(folder, 250, epochs=3)
    store = Store(folder, cache=False)
    parts = [store.refresh(patience=0.0)]
    assert not store.is_complete
    while not store.is_complete:
        parts.append(store.refresh(patience=0.0))
    assert [len(part) for part in parts] == [40] * 6 + [10]
    assert set().union(*parts) == store.runs.keys()
    assert contents_of(store) == uncached_contents(folder)
    assert store.refresh(patience=0.0) == set()
