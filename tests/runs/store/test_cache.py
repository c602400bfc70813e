"""Runs that a store has from its folder's cache are those that it would read."""

from __future__ import annotations

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
from postertui.runs.events import EventWriter
from postertui.runs.store import METRICS, Run, Store
from postertui.runs.store.listing import list_run
from postertui.supervisor import requests
from tests.support.many_runs import write_runs
from tests.support.run_contents import content_of, contents_of, uncached_contents


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    write_runs(folder, 250, epochs=3)
    Store(folder).refresh()
    assert (folder / ".cache" / "index").stat().st_size
    return folder


def test_cached_runs_are_as_if_read(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = uncached_contents(many)
    with monkeypatch.context() as patch:
        patch.setattr("postertui.runs.store.parse.apply_lines", _refuse)
        store = Store(many)
        store.refresh()
    assert contents_of(store) == expected
    assert history_table(store.runs.values()).equals(_table(many))


def _refuse(*_: Any) -> Any:
    raise AssertionError("read although it was cached")


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
    assert contents_of(store) == uncached_contents(many)


@pytest.mark.parametrize("file", ["index", "epochs"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damaged_cache_is_only_a_miss(many: Path, file: str, damage: str) -> None:
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
    assert contents_of(store) == uncached_contents(many)


def test_cached_runs_are_runs_before_and_after_they_are_unpacked(many: Path) -> None:
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
    cached = Store(many)
    cached.refresh()

    def listed(run: Run) -> tuple[Any, ...]:
        scores = [run.newest(name) for name in ("test_fscore_soft", "dead", "test_ap", "mine")]
        return (
            run.state, run.standing, run.is_closed, run.is_started, run.is_waiting, run.created,
            run.planned_epochs, run.reason, run.epoch, run.changed, scores,
        )  # fmt: skip

    for name, run in read.runs.items():
        stored = cached.runs[name]
        assert type(stored) is not Run, name
        assert listed(stored) == listed(run)
        assert stored.record() == run.record()
        assert stored.spec == run.spec
        assert (stored.start, stored.end, stored.attempt) == (run.start, run.end, run.attempt)
        assert listed(stored) == listed(run)
    assert cached.runs[names[3]].reason == "no room"


def made_runs(store: Store) -> list[Run]:
    """The runs that are no longer positions in the cache."""
    return [run for run in store.runs._runs.values() if isinstance(run, Run)]


def test_list_of_cached_runs_is_that_of_runs_that_were_read(many: Path) -> None:
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
    cached = Store(many)
    cached.refresh()
    read = Store(many, cache=False)
    read.refresh()
    listed = cached.runs.listed()
    assert len(made_runs(cached)) == 2
    assert listed == sorted(map(list_run, read.runs.values()))
    assert listed == sorted(map(list_run, cached.runs.values()))
    assert len(made_runs(cached)) == 250
    assert cached.waiting_runs == read.waiting_runs == 1


def test_cached_run_is_made_once_whatever_thread_looks(many: Path) -> None:
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
def test_of_many_cached_runs_none_is_missed_and_no_event(data: st.DataObject) -> None:
    """However many there are: whatever happened to some since they were cached is seen."""
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
            assert contents_of(later) == uncached_contents(folder)


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
def test_many_runs_are_read_into_a_file_that_becomes_the_cache(
    many: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    monkeypatch.setattr("postertui.runs.store.reader.SPOOL_FROM", 100)
    monkeypatch.setattr("postertui.runs.store.spool.FLUSH_BYTES", 1)
    shutil.rmtree(many / ".cache")
    expected = uncached_contents(many)
    store = Store(many)
    store.refresh(patience=0.0)
    assert all(run.buffer.stored is not None for run in store.runs.values())
    if not damage:
        assert contents_of(store) == {name: expected[name] for name in store.runs}
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
    cached = Store(many)
    if damage != "flip":
        monkeypatch.setattr("postertui.runs.store.parse.apply_lines", _refuse)
    cached.refresh()
    assert contents_of(store) == expected == contents_of(cached)
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
        cached = Store(many)
        cached.refresh()
        assert contents_of(store) == contents_of(cached) == uncached_contents(many)


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
    cached = Store(many)
    cached.refresh()
    assert contents_of(store) == uncached_contents(many) == contents_of(cached)


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
    assert contents_of(store) == uncached_contents(many)
    assert sorted(path.name[:6] for path in (many / ".cache").iterdir()) == [
        "epochs", "index", "lock",
    ]  # fmt: skip


def test_newest_epochs_are_read_without_reading_the_others(many: Path) -> None:
    wanted = {name: (run[1:6], run[-1]) for name, run in uncached_contents(many).items()}
    [rows] = (many / ".cache").glob("epochs-*")
    rows.write_bytes(bytes(rows.stat().st_size))
    store = Store(many)
    store.refresh()
    for name, run in store.runs.items():
        [*standing], columns = wanted[name]
        assert [*content_of(run)[1:6]] == standing
        assert (
            run.newest("test_fscore")
            == run.record().get("test_fscore")
            == columns[METRICS.index("test_fscore") + 2][-1]
        )


def test_cached_run_that_goes_on_keeps_what_it_had(many: Path) -> None:
    name = min(path.name for path in many.iterdir() if path.name[0] != ".")
    store = Store(many)
    store.refresh()
    before = content_of(store.runs[name])
    with EventWriter(many / name / "events.jsonl") as writer:
        writer.append("requeue")
        writer.attempt += 1
        writer.append("start", from_epoch=3)
        writer.append("epoch", epoch=3, train_loss=0.5)
    requests.notify(many)
    assert name in store.refresh()
    assert store.runs[name].state == "interrupted"
    assert store.runs[name].epochs.values("train_loss")[:2] == before[-1][2][:2]
    assert contents_of(store) == uncached_contents(many)


def test_cache_that_is_replaced_under_a_reader_stays_readable(many: Path) -> None:
    first = Store(many)
    first.refresh()
    expected = contents_of(first)
    shutil.rmtree(many / ".cache")
    other = Store(many)
    other.refresh()
    assert contents_of(first) == expected == contents_of(other)


def test_two_readers_at_once_may_both_write_the_cache(many: Path) -> None:
    a, b = Store(many), Store(many)
    a.refresh()
    b.refresh()
    write_runs(many, 250, epochs=2, first=250)
    a.refresh()
    b.refresh()
    third = Store(many)
    third.refresh()
    assert len(third.runs) == 500
    assert contents_of(a) == contents_of(b) == contents_of(third) == uncached_contents(many)


def test_cache_cannot_name_a_file_elsewhere(many: Path, tmp_path: Path) -> None:
    """A cache is written to beside the index and nowhere else."""
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
    assert contents_of(store) == uncached_contents(many)


def test_pages_that_were_released_can_be_looked_at_again(many: Path) -> None:
    Store(many).refresh()
    store = Store(many)
    store.refresh()
    before = {name: list(run.epochs) for name, run in store.runs.items()}
    assert any(before.values())
    store.release_pages()
    assert {name: list(run.epochs) for name, run in store.runs.items()} == before
