"""One bad run is one bad run, whatever its files hold: everything else reads and trains on.

Run folders are generated: a good run whose `run.json` or events have values of other types and
sizes, or whose files are pipes, folders, links or rubbish. Each is given to the store, the history
table, the dashboard's views, the command line, `doctor` and the supervisor.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui.cli import cli
from postertui.dashboard.monitoring.log_reader import LogReader
from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.run_view import view_of
from postertui.data.arrays import open_array
from postertui.data.description import read_description
from postertui.doctor import examine
from postertui.history.from_runs import history_table
from postertui.predictions.table import read_predictions
from postertui.runs import layout
from postertui.runs.events import encode_event
from postertui.runs.store import Store
from postertui.runs.trained_weights import read_weights
from postertui.supervisor import requests
from postertui.supervisor.service import Supervisor
from postertui.system.errors import UserError
from postertui.training.checkpoint import load_checkpoint
from tests.support.supervisor import make_spec, queue
from tests.support.thread_schedules import ThreadJobs

DEEP = "@deep@"
HUGE = "@huge@"

#: Values that a JSON file may hold where another was meant.
NASTY: list[Any] = [
    None, True, -5, 0, 1.5, 10**30, -(10**30), 2**63, 1e300, -1e300, "", "x" * 200_000,
    "\x1b[31mred\x1b[0m", "a\nb\x07", "\u202e\0", [], {}, [[]], {"a": {"b": 1}}, DEEP, HUGE,
    "of the future", ["a"] * 1000, "../../etc", "nan",
]  # fmt: skip

FILES = [
    layout.SPEC, layout.EVENTS, layout.LOCK, layout.LOG, layout.CANCEL, layout.PAUSED,
    layout.PRIORITY, layout.CHECKPOINT, layout.CLUSTER, *layout.RESULTS,
]  # fmt: skip
KINDS = ["pipe", "folder", "link", "loop", "empty", "zeros", "rubbish", "deep", "long line"]


def good_events() -> list[dict[str, Any]]:
    lines = [
        encode_event(0, 1, "start", {"from_epoch": 1, "device": "cpu", "host": "h"}, 1.0),
        encode_event(1, 1, "features", {"cohort": 0, "done": 1, "total": 2}, 1.5),
        encode_event(2, 1, "epoch", {"epoch": 1, "train_loss": 0.5, "test_tp": 3}, 2.0),
        encode_event(3, 1, "end", {"status": "interrupted", "reason": "stopped"}, 3.0),
    ]  # fmt: skip
    return [json.loads(line) for line in lines]


def paths_in(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*prefix, key)
        if isinstance(item, dict | list):
            yield from paths_in(item, (*prefix, key))


def dump(value: Any) -> str:
    text = json.dumps(value)
    return text.replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000).replace(f'"{HUGE}"', "1e999")


def put(document: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> None:
    for key in path[:-1]:
        document = document[key]
    if remove:
        del document[path[-1]]
    else:
        document[path[-1]] = copy.deepcopy(value)


@contextmanager
def two_runs() -> Iterator[tuple[Path, str, str]]:
    """A runs folder with a good queued run and one to spoil; their names."""
    root = Path(tempfile.mkdtemp(prefix="bad-runs-"))
    folder = root / "runs"
    try:
        good, bad = queue(folder, make_spec("Good"), make_spec("Bad"))
        (folder / bad / layout.EVENTS).write_text(
            "".join(dump(event) + "\n" for event in good_events())
        )
        yield folder, good, bad
    finally:
        shutil.rmtree(root)


def assert_only_one_is_bad(folder: Path, good: str, bad: str) -> str | None:
    """Everything reads the folder and goes on with `good`; what is wrong with `bad`."""
    store = Store(folder, cache=False)
    store.refresh()
    assert store.runs.keys() == {good, bad}
    assert store.runs[good].state == "queued"
    for run in store.runs.values():
        json.dumps(run.record())
        view = view_of(run)
        assert view.reason.isprintable()
        assert view.genre.isprintable()
    damage = store.runs[bad].damage
    if damage is not None:
        assert bad in damage, "the message names the file"
    history_table(store.runs.values())

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        for command in (["runs"], ["runs", "--json"], ["log", bad]):
            result = CliRunner().invoke(cli, [*command, "--runs", str(folder)])
            assert result.exception is None or isinstance(result.exception, SystemExit | Exception)
            assert "Traceback" not in result.output
            assert "unexpected" not in result.output, result.output
        findings = [f for f in examine(folder, folder.parent / "none") if f.area == "runs"]
        finding_texts = " ".join(f.text for f in findings if f.status in ("wrong", "note"))
        irregular = any(not p.is_file() or p.is_symlink() for p in (folder / bad).iterdir())
        assert (damage is None and not irregular) == (bad not in finding_texts), finding_texts

        supervisor = Supervisor(folder, ThreadJobs(folder, [], capacity=0))
        supervisor.scan()
        assert good in supervisor._runs.waiting
        assert supervisor.step(0)
        for ask in (requests.pause_runs, requests.resume_runs, requests.retry):
            assert ask(folder, [bad, good])[good] in ("done", "unchanged")
        outcome = requests.cancel(folder, [good])
        assert outcome == {good: "done"}
    return damage


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_values_of_a_spec(data: st.DataObject) -> None:
    with two_runs() as (folder, good, bad):
        path = folder / bad / layout.SPEC
        spec = json.loads(path.read_text())
        for _ in range(data.draw(st.integers(1, 2))):
            where = data.draw(st.sampled_from(sorted(paths_in(spec), key=str)))
            remove = data.draw(st.booleans())
            put(spec, where, data.draw(st.sampled_from(NASTY)), remove=remove)
        path.write_text(dump(spec))
        assert_only_one_is_bad(folder, good, bad)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_values_of_events(data: st.DataObject) -> None:
    with two_runs() as (folder, good, bad):
        events: list[Any] = good_events()
        for _ in range(data.draw(st.integers(1, 2))):
            where = data.draw(st.sampled_from(sorted(paths_in(events), key=str)))
            value = data.draw(st.sampled_from(NASTY))
            put(events, where, value, remove=len(where) > 1 and data.draw(st.booleans()))
        (folder / bad / layout.EVENTS).write_text("".join(dump(e) + "\n" for e in events))
        assert_only_one_is_bad(folder, good, bad)


END_OF_DONE_RUN: dict[str, Any] = {
    "seq": 4, "attempt": 1, "time": 4.0, "event": "end", "status": "done", "predict_seconds": 0.5,
    "weights": {"digest": "0" * 64, "bytes": 100, "epoch": 1}, "of the future": {"a": [1]},
}  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=st.sampled_from(sorted(paths_in(END_OF_DONE_RUN), key=str)), value=st.data())
def test_end_of_a_done_run_with_the_cache(where: tuple[Any, ...], value: st.DataObject) -> None:
    with two_runs() as (folder, good, bad), pytest.MonkeyPatch.context() as patch:
        patch.setattr("postertui.runs.store.reader.SAVE_AFTER_RUNS", 1)
        end = copy.deepcopy(END_OF_DONE_RUN)
        put(end, where, value.draw(st.sampled_from(NASTY)), remove=False)
        with (folder / bad / layout.EVENTS).open("a") as file:
            file.write(dump(end) + "\n")
        fresh = Store(folder)
        fresh.refresh()
        cached = Store(folder)
        cached.refresh()
        for store in (fresh, cached):
            assert store.runs.keys() == {good, bad}
            run = store.runs[bad]
            json.dumps(run.record())
            assert (
                run.damage is not None
                or run.state in ("done", "failed", "queued")
                or (end["status"] != "done" or end["event"] != "end")
            )
        assert fresh.runs[bad].damage == cached.runs[bad].damage
        assert_only_one_is_bad(folder, good, bad)


def test_cache_that_fails_stops_no_reading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("unforeseen")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("postertui.runs.store.reader.SAVE_AFTER_RUNS", 1)
    monkeypatch.setattr("postertui.runs.store.cache.Cache.save", fail)
    with two_runs() as (folder, good, bad):
        with (folder / bad / layout.EVENTS).open("a") as file:
            file.write(dump(END_OF_DONE_RUN) + "\n")
        store = Store(folder)
        assert store.refresh() == {good, bad}
        assert store.runs[bad].state == "done"


def test_what_a_failed_reading_found_is_reported_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with two_runs() as (folder, good, bad):
        feed = RunFeed(folder, lambda: None)
        refresh = feed.store.refresh

        def fail_after_reading(patience: float) -> set[str]:
            refresh(patience)
            raise RuntimeError("unforeseen")

        monkeypatch.setattr(feed.store, "refresh", fail_after_reading)
        assert feed.read()
        assert "unforeseen" in (feed.error or "")
        monkeypatch.setattr(feed.store, "refresh", refresh)
        assert feed.read()
        assert feed.error is None
        assert feed.drain().changed.keys() == {good, bad}


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "loop", "device"])
@pytest.mark.parametrize("name", layout.RESULTS)
def test_results_of_a_done_run_that_are_no_files(name: str, kind: str) -> None:
    with two_runs() as (folder, _, bad):
        path = folder / bad / name
        if kind == "device":
            path.symlink_to("/dev/zero")
        else:
            spoil_file(path, kind)
        with pytest.raises(UserError, match=r"link|not a regular file|directory"):
            if name == layout.PREDICTIONS:
                read_predictions(folder / bad)
            else:
                read_weights(folder / bad, "", "")
        wrong_texts = [
            f.text for f in examine(folder, folder.parent / "none") if f.status == "wrong"
        ]
        assert any(str(path) in text for text in wrong_texts)


def test_checkpoint_and_log_that_are_pipes_are_not_waited_for() -> None:
    with two_runs() as (folder, _, bad):
        for name in (layout.CHECKPOINT, layout.LOG):
            spoil_file(folder / bad / name, "pipe")
        with pytest.raises(UserError, match="not a regular file"):
            load_checkpoint(folder / bad / layout.CHECKPOINT, "")
        reader = LogReader(folder / bad / layout.LOG)
        reader.read()
        assert reader.missing


def test_data_that_are_pipes_are_not_waited_for(tmp_path: Path) -> None:
    for name in ("dataset.json", "images-0.npy"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="not a regular file"):
        read_description(tmp_path)
    with pytest.raises(UserError, match="not a regular file"):
        open_array(tmp_path / "images-0.npy")


def test_output_among_the_runs_is_refused() -> None:
    with two_runs() as (folder, good, _):
        for command in (["export"], ["predict", "x.png"], ["export-model", good]):
            target = folder / good / f"predictions{'.keras' if len(command[0]) > 7 else '.csv'}"
            result = CliRunner().invoke(cli, [*command, "-o", str(target), "--runs", str(folder)])
            assert isinstance(result.exception, UserError), result.output
            assert "lies in the runs folder" in str(result.exception)
            assert not target.exists()


def spoil_file(path: Path, kind: str) -> None:
    """Put something of `kind` in the place of the file at `path`."""
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            (path.parent.parent.parent / "outside").write_text("{}")
            path.symlink_to("../../outside")
        case "loop":
            path.symlink_to(path.name)
        case "empty":
            path.touch()
        case "zeros":
            path.write_bytes(bytes(100_000))
        case "rubbish":
            path.write_bytes(b"\xff\xfe\x00\x1b[31m\n" * 100)
        case "deep":
            path.write_text("[" * 100_000 + "\n")
        case "long line":
            path.write_text('{"event":"epoch","attempt":1,"x":"' + "x" * (3 << 20))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_kinds_of_files(file: str, kind: str) -> None:
    with two_runs() as (folder, good, bad):
        spoil_file(folder / bad / file, kind)
        damage = assert_only_one_is_bad(folder, good, bad)
        if file == layout.SPEC or (file == layout.EVENTS and kind not in ("empty", "zeros")):
            assert damage is not None
        outside = folder.parent / "outside"
        assert not outside.exists() or outside.read_text() == "{}", "no link was followed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "file",
    [layout.NOTES, layout.SETTINGS, layout.CHANGE_COUNTER, layout.SUPERVISOR_STATUS, layout.CACHE],
)
def test_files_beside_the_runs(file: str, kind: str) -> None:
    with two_runs() as (folder, good, bad):
        spoil_file(folder / file, kind)
        assert assert_only_one_is_bad(folder, good, bad) is None


@pytest.mark.parametrize(
    ("line", "change"), [(1, {"seq": None}), (4, {"status": "failed", "reason": 5})]
)
def test_events_that_stopped_the_queue_once(line: int, change: dict[str, Any]) -> None:
    with two_runs() as (folder, good, bad):
        events = good_events()
        events[line - 1] |= change
        (folder / bad / layout.EVENTS).write_text("".join(dump(e) + "\n" for e in events))
        damage = assert_only_one_is_bad(folder, good, bad)
        assert damage is not None
        assert f"{layout.EVENTS}:{line}" in damage


NEWER_SPECS: dict[str, dict[str, Any]] = {
    "format": {"v": 2},
    "unknown hyper-parameter": {
        "versions": {"postertui": "99.0"},
        "variant": {"of_a_later_version": 0.5},
    },
    "other type": {"versions": {"postertui": "0.2.0"}, "seed": "twelve"},
}


@pytest.mark.parametrize("changes", NEWER_SPECS.values(), ids=NEWER_SPECS.keys())
def test_spec_of_a_newer_version(changes: dict[str, Any]) -> None:
    with two_runs() as (folder, good, bad):
        path = folder / bad / layout.SPEC
        spec = json.loads(path.read_text())
        variant = spec["variant"] | changes.get("variant", {})
        path.write_text(dump(spec | changes | {"variant": variant}))
        damage = assert_only_one_is_bad(folder, good, bad)
        assert "made by a newer version" in (damage or "")
        list(examine(folder, folder.parent / "none", repair=True))
        assert path.exists(), "it is never moved aside"


@pytest.mark.parametrize(
    ("changes", "is_readable"),
    [
        ({"v": 2, "event": "end", "status": "paused for good"}, False),
        ({"v": 2, "event": "start", "from_epoch": "the newest"}, False),
        ({"v": 2, "event": "checkpoint", "where": {"deep": []}}, True),
        ({"v": 2, "event": "end", "status": "done", "unknown": [1]}, True),
    ],
)
def test_events_of_a_newer_version(changes: dict[str, Any], is_readable: bool) -> None:
    with two_runs() as (folder, good, bad):
        path = folder / bad / layout.EVENTS
        with path.open("a") as file:
            file.write(dump({"seq": 9, "attempt": 1, "time": 9.0} | changes) + "\n")
        store = Store(folder, cache=False)
        store.refresh()
        run = store.runs[bad]
        assert run.is_newer
        assert run.epoch == 1, "what can be read is shown"
        assert (run.damage is None) == is_readable
        before = path.read_bytes()
        assert requests.retry(folder, [bad])[bad] in ("newer", "unchanged")
        assert requests.cancel(folder, [bad])[bad] in ("newer", "unchanged")
        notes = [f.text for f in examine(folder, folder.parent / "none", repair=True)]
        assert any("made by a newer version" in text for text in notes)
        assert path.read_bytes() == before, "nothing is written to it, and it is not moved"
        supervisor = Supervisor(folder, ThreadJobs(folder, [], capacity=0))
        supervisor.scan()
        assert good in supervisor._runs.waiting
        assert bad not in supervisor._runs.waiting


def test_unknown_fields_and_events_are_ignored() -> None:
    with two_runs() as (folder, good, bad):
        path = folder / bad / layout.SPEC
        path.write_text(dump(json.loads(path.read_text()) | {"colour": "red"}))
        with (folder / bad / layout.EVENTS).open("a") as file:
            file.write('{"v":1,"seq":4,"attempt":1,"time":4.0,"event":"lunch","menu":[]}\n')
        assert assert_only_one_is_bad(folder, good, bad) is None
