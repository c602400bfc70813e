"""A store follows growing files and agrees, at any moment, with one that reads them anew."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui.history.from_runs import history_table
from postertui.runs.events import EventWriter, encode_event
from postertui.runs.lock import RunLock
from postertui.runs.notes import Note, change_notes
from postertui.runs.store import METRICS, Run, Store, reader
from postertui.runs.store.identity import Identity, run_identity
from postertui.runs.store.listing import list_run
from postertui.runs.store.reader import BATCH
from postertui.supervisor import requests
from tests.support.many_runs import write_runs
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


def shown(run: Run) -> tuple[Any, ...]:
    rows = [run.epochs.values(name) for name in ("epoch", "attempt", *METRICS)]
    return run.name, run.state, run.attempt, run.reason, run.damage, run.epoch, run.note, rows


def shown_all(store: Store) -> dict[str, tuple[Any, ...]]:
    return {name: shown(run) for name, run in store.runs.items()}


def fresh(folder: Path) -> dict[str, tuple[Any, ...]]:
    store = Store(folder, cache=False)
    store.refresh()
    return shown_all(store)


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
            assert shown_all(store) == fresh(folder)
        path.write_bytes(data)
        changed = store.refresh()
        assert shown_all(store) == fresh(folder)
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


def test_a_bell_or_some_patience_shows_the_change_of_one_among_many(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, BATCH + 100, epochs=1)
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


def test_what_is_announced_while_many_runs_are_read_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_runs(folder, BATCH + 100, epochs=1)
    name = min(path.name for path in folder.iterdir())
    store = Store(folder)
    store.refresh(patience=0.0)
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
    Store(folder, cache=False).refresh()
    assert len(looks) <= 4 * BATCH


# What is remembered


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    write_runs(folder, 250, epochs=3)
    Store(folder).refresh()
    assert (folder / ".cache" / "index").stat().st_size
    return folder


def test_remembered_runs_are_as_if_read(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fresh(many)
    with monkeypatch.context() as patch:
        patch.setattr("postertui.runs.store.parse.apply_lines", _refuse)
        store = Store(many)
        store.refresh()
    assert shown_all(store) == expected
    assert history_table(store.runs.values()).equals(_table(many))


def _refuse(*_: Any) -> Any:
    raise AssertionError("read although it was remembered")


def _table(folder: Path) -> Any:
    store = Store(folder, cache=False)
    store.refresh()
    return history_table(store.runs.values())


def test_run_that_changed_is_read_again(many: Path) -> None:
    name = min(path.name for path in many.iterdir() if path.name[0] != ".")
    path = many / name / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    store = Store(many)
    store.refresh()
    assert store.runs[name].epoch == 1
    assert shown_all(store) == fresh(many)


@pytest.mark.parametrize("file", ["index", "epochs"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damaged_memory_is_only_a_miss(many: Path, file: str, damage: str) -> None:
    [path] = (many / ".cache").glob(f"{file}*")
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[: len(data) // 3])
        case "flip":
            path.write_bytes(data[:50] + bytes(b ^ 0xFF for b in data[50:90]) + data[90:])
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
    store = Store(many)
    store.refresh()
    assert shown_all(store) == fresh(many)


def test_remembered_runs_are_runs_before_and_after_they_are_unpacked(many: Path) -> None:
    names = sorted(path.name for path in many.iterdir() if path.name[0] != ".")
    with EventWriter(many / names[3] / "events.jsonl") as writer:
        writer.append("requeue")
        writer.attempt += 1
        writer.append("end", status="failed", reason="no room")
    store = Store(many)
    store.refresh()
    store._save_cache()
    read = Store(many, cache=False)
    read.refresh()
    remembered = Store(many)
    remembered.refresh()

    def listed(run: Run) -> tuple[Any, ...]:
        scores = [run.newest(name) for name in ("test_fscore_soft", "dead", "test_ap", "mine")]
        return (
            run.state, run.standing, run.is_closed, run.is_started, run.is_waiting, run.created,
            run.planned_epochs, run.reason, run.epoch, run.changed, scores,
        )  # fmt: skip

    for name, run in read.runs.items():
        stored = remembered.runs[name]
        assert type(stored) is not Run, name
        assert listed(stored) == listed(run)
        assert stored.record() == run.record()
        assert stored.spec == run.spec
        assert (stored.start, stored.end, stored.attempt) == (run.start, run.end, run.attempt)
        assert listed(stored) == listed(run)
    assert remembered.runs[names[3]].reason == "no room"


def test_list_of_remembered_runs_is_that_of_runs_that_were_read(many: Path) -> None:
    names = sorted(path.name for path in many.iterdir() if path.name[0] != ".")
    with EventWriter(many / names[3] / "events.jsonl") as writer:
        writer.append("requeue")
        writer.attempt += 1
        writer.append("start", from_epoch=1)
        writer.append("end", status="failed", reason="no room")
    with EventWriter(many / names[4] / "events.jsonl") as writer:
        writer.append("epoch", epoch=4, test_fscore=0.25, test_fscore_soft=None, test_ap=None)
        writer.append("end", status="cancelled", reason="")
    with EventWriter(many / names[5] / "events.jsonl") as writer:
        writer.append("requeue")
    (many / names[6] / "run.json").write_text("{")
    store = Store(many)
    store.refresh()
    store._save_cache()
    remembered = Store(many)
    remembered.refresh()
    read = Store(many, cache=False)
    read.refresh()
    listed = remembered.runs.listed()
    assert len(remembered.runs.made()) == 2
    assert listed == sorted(map(list_run, read.runs.values()))
    assert listed == sorted(map(list_run, remembered.runs.values()))
    assert len(remembered.runs.made()) == 250
    assert remembered.waiting_runs == read.waiting_runs == 1


def test_remembered_run_is_made_once_whatever_thread_looks(many: Path) -> None:
    store = Store(many)
    store.refresh()
    for name, position in list(store.runs._runs.items()):
        assert isinstance(position, int)
        run = store.runs[name]
        # As a thread does that looked before, and goes on now.
        assert store.runs._make(name, position) is run
        assert store.runs[name] is run


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_of_many_remembered_runs_none_is_missed_and_no_event(data: st.DataObject) -> None:
    """However many there are: whatever happened to some since they were remembered is seen."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr("postertui.runs.store.reader.BOTH_FILES_UP_TO", 0)
        folder = Path(place)
        write_runs(folder, 8, epochs=2)
        store = Store(folder)
        store.refresh()
        store._save_cache()
        names = sorted(store.runs)
        for name in data.draw(st.lists(st.sampled_from(names), unique=True)):
            match data.draw(st.sampled_from(["append", "torn", "remove", "replace", "shorten"])):
                case "append":
                    with EventWriter(folder / name / "events.jsonl") as writer:
                        writer.append("requeue")
                case "torn":
                    with (folder / name / "events.jsonl").open("ab") as file:
                        file.write(b'{"v":1,"seq"')
                case "remove":
                    shutil.rmtree(folder / name)
                case "replace":
                    content = (folder / name / "run.json").read_bytes()
                    shutil.rmtree(folder / name)
                    (folder / name).mkdir()
                    (folder / name / "run.json").write_bytes(content)
                case "shorten":
                    path = folder / name / "events.jsonl"
                    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
        for _ in range(2):
            later = Store(folder)
            later.refresh()
            assert shown_all(later) == fresh(folder)


def test_description_that_was_changed_by_hand_is_seen_in_turn(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BOTH_FILES_UP_TO", 0)
    name = min(path.name for path in many.iterdir() if path.name[0] != ".")
    path = many / name / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"study": "scale"', b'"study": "other"'))
    store = Store(many)
    store.refresh()
    store.refresh()
    spec = store.runs[name].spec
    assert spec is not None
    assert spec.study == "other"


@pytest.mark.parametrize("damage", ["", "gone", "flip"])
def test_many_runs_are_read_into_a_file_and_remembered_from_it(
    many: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    monkeypatch.setattr("postertui.runs.store.reader.SPOOL_FROM", 100)
    monkeypatch.setattr("postertui.runs.store.spool.FLUSH_BYTES", 1)
    shutil.rmtree(many / ".cache")
    expected = fresh(many)
    store = Store(many)
    store.refresh(patience=0.0)
    assert all(run.buffer.stored is not None for run in store.runs.values())
    if not damage:
        assert shown_all(store) == {name: expected[name] for name in store.runs}
    [path] = (many / ".cache").glob("epochs-*")
    match damage:
        case "gone":
            path.unlink()
        case "flip":
            data = path.read_bytes()
            path.write_bytes(bytes(b ^ 0xFF for b in data))
    while not store.is_complete:
        store.refresh(patience=0.0)
    assert len(store.runs) == 250
    remembered = Store(many)
    if damage != "flip":
        monkeypatch.setattr("postertui.runs.store.parse.apply_lines", _refuse)
    remembered.refresh()
    assert shown_all(store) == expected == shown_all(remembered)
    assert len([*(many / ".cache").glob("epochs-*")]) == 1


def test_runs_that_come_after_a_new_cache_was_saved_leave_its_epochs_alone(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.SPOOL_FROM", 100)
    monkeypatch.setattr("postertui.runs.store.spool.FLUSH_BYTES", 1)
    shutil.rmtree(many / ".cache")
    name = min(path.name for path in many.iterdir())
    path = many / name / "events.jsonl"
    *lines, end = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines))
    store = Store(many)
    store.refresh()
    monkeypatch.setattr(Store, "_reread_rows", _refuse)
    for first in (250, 500):
        write_runs(many, 250, epochs=2, first=first)
        path.write_bytes(b"".join([*lines, end]))
        requests.notify(many)
        store.refresh()
        remembered = Store(many)
        remembered.refresh()
        assert shown_all(store) == shown_all(remembered) == fresh(many)


def test_epochs_are_looked_at_while_others_are_read_into_the_file(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the dashboard draws curves while its feed reads on."""
    monkeypatch.setattr("postertui.runs.store.reader.SPOOL_FROM", 100)
    monkeypatch.setattr("postertui.runs.store.spool.FLUSH_BYTES", 100_000)
    monkeypatch.setattr(Store, "_reread_rows", _refuse)
    shutil.rmtree(many / ".cache")
    store = Store(many)
    looks: list[threading.Thread] = []
    write = os.write

    def write_and_be_looked_at(fd: int, data: bytearray) -> int:
        written = write(fd, data)
        if not looks:
            stored = [run for run in store.runs.values() if run.buffer.stored is not None]
            looks.append(threading.Thread(target=stored[-1].buffer.rows))
            looks[0].start()
            looks[0].join(0.2)  # It may have to wait until all is written.
        return written

    monkeypatch.setattr("postertui.runs.store.spool.os.write", write_and_be_looked_at)
    store.refresh()
    looks[0].join()
    remembered = Store(many)
    remembered.refresh()
    assert shown_all(store) == fresh(many) == shown_all(remembered)


def test_file_of_a_reader_that_was_killed_is_no_cache_and_goes(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    monkeypatch.setattr("postertui.runs.store.reader.SPOOL_FROM", 100)
    shutil.rmtree(many / ".cache")
    Store(many).refresh(patience=0.0)
    assert [path.name[:7] for path in (many / ".cache").iterdir()] == ["epochs-"]
    store = Store(many)
    store.refresh()
    assert shown_all(store) == fresh(many)
    assert sorted(path.name[:6] for path in (many / ".cache").iterdir()) == [
        "epochs", "index", "lock",
    ]  # fmt: skip


def test_newest_epochs_are_known_without_reading_the_others(many: Path) -> None:
    wanted = {name: (run[1:6], run[-1]) for name, run in fresh(many).items()}
    [rows] = (many / ".cache").glob("epochs-*")
    rows.write_bytes(bytes(rows.stat().st_size))
    store = Store(many)
    store.refresh()
    for name, run in store.runs.items():
        [*standing], columns = wanted[name]
        assert [*shown(run)[1:6]] == standing
        assert (
            run.newest("test_fscore")
            == run.record().get("test_fscore")
            == columns[METRICS.index("test_fscore") + 2][-1]
        )


def test_remembered_run_that_goes_on_keeps_what_it_had(many: Path) -> None:
    name = min(path.name for path in many.iterdir() if path.name[0] != ".")
    store = Store(many)
    store.refresh()
    before = shown(store.runs[name])
    with EventWriter(many / name / "events.jsonl") as writer:
        writer.append("requeue")
        writer.attempt += 1
        writer.append("start", from_epoch=3)
        writer.append("epoch", epoch=3, train_loss=0.5)
    requests.notify(many)
    assert name in store.refresh()
    assert store.runs[name].state == "interrupted"
    assert store.runs[name].epochs.values("train_loss")[:2] == before[-1][2][:2]
    assert shown_all(store) == fresh(many)


def test_memory_that_is_replaced_under_a_reader_stays_readable(many: Path) -> None:
    first = Store(many)
    first.refresh()
    expected = shown_all(first)
    shutil.rmtree(many / ".cache")
    other = Store(many)
    other.refresh()
    assert shown_all(first) == expected == shown_all(other)


def test_two_readers_at_once_may_both_remember(many: Path) -> None:
    a, b = Store(many), Store(many)
    a.refresh()
    b.refresh()
    write_runs(many, 250, epochs=2, first=250)
    a.refresh()
    b.refresh()
    third = Store(many)
    third.refresh()
    assert len(third.runs) == 500
    assert shown_all(a) == shown_all(b) == shown_all(third) == fresh(many)


def test_memory_cannot_name_a_file_elsewhere(many: Path, tmp_path: Path) -> None:
    """What is remembered is written to beside the index and nowhere else."""
    index = many / ".cache" / "index"
    [rows] = (many / ".cache").glob("epochs-*")
    precious = tmp_path / ("p" * (len(rows.name) - len("../../")))
    precious.write_bytes(rows.read_bytes())
    before = precious.read_bytes()
    index.write_bytes(
        index.read_bytes().replace(rows.name.encode(), f"../../{precious.name}".encode())
    )
    store = Store(many)
    store.refresh()
    write_runs(many, 250, epochs=2, first=250)
    store.refresh()
    assert precious.read_bytes() == before
    assert shown_all(store) == fresh(many)


def test_what_was_let_go_can_be_looked_at_again(many: Path) -> None:
    Store(many).refresh()
    store = Store(many)
    store.refresh()
    before = {name: list(run.epochs) for name, run in store.runs.items()}
    assert any(before.values())
    store.release_pages()
    assert {name: list(run.epochs) for name, run in store.runs.items()} == before


def test_of_many_new_runs_some_are_read_at_a_time(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    store = Store(many, cache=False)
    parts = [store.refresh(patience=0.0)]
    assert not store.is_complete
    while not store.is_complete:
        parts.append(store.refresh(patience=0.0))
    assert [len(part) for part in parts] == [40] * 6 + [10]
    assert set().union(*parts) == store.runs.keys()
    assert shown_all(store) == fresh(many)
    assert store.refresh(patience=0.0) == set()
