"""What the dashboard keeps of a run: a snapshot, the same whether the run came from the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postertui.dashboard.state.assessment import assess, has_cohort_facts
from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.run_view import view_of
from postertui.runs.store import Store, reader
from tests.support.dashboard_runs import MadeRuns


def cached_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that has read the folder's runs from the cache that another has written."""
    monkeypatch.setattr(reader, "SAVE_AFTER_RUNS", 1)
    Store(folder).refresh()
    store = Store(folder)
    store.refresh()
    return store


def test_a_cached_run_has_the_record_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    names = [
        made_runs.add("Comedy", epochs=3, state="done"),
        made_runs.add("Drama", epochs=2, state="failed", reason="out of\tmemory"),
        made_runs.add("Horror", state="cancelled"),
    ]
    store = cached_store(made_runs.folder, monkeypatch)
    for name in names:
        run = store.runs[name]
        view = view_of(run)
        plain = Store(made_runs.folder, cache=False)
        plain.refresh()
        record = dict(view.record)
        assert record == plain.runs[name].record()
        assert {key: view.record.get(key) for key in record} == record
        assert view.record.get("no such field", 7) == 7
        assert "no such field" not in view.record
        assert (view.device, view.attempt) == ("cpu:0", 1)
    assert view_of(store.runs[names[1]]).reason == "out of memory"


def test_a_snapshot_of_a_cached_run_stays_when_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    name = made_runs.add("Comedy", epochs=2, state="failed", reason="killed")
    store = cached_store(made_runs.folder, monkeypatch)
    before = view_of(store.runs[name])
    made_runs.event(name, "requeue", 1_700_000_100.0)
    made_runs.event(name, "start", 1_700_000_101.0, device="cuda:1", from_epoch=3)
    made_runs.epoch(name, 3)
    store.refresh()
    after = view_of(store.runs[name])
    assert (before.state, before.reason, before.device, before.epoch) == (
        "failed", "killed", "cpu:0", 2,
    )  # fmt: skip
    assert (after.reason, after.device, after.epoch) == ("", "cuda:1", 3)
    assert (before.record["reason"], after.record["reason"]) == ("killed", None)


def test_a_run_is_assessed_by_the_runs_of_its_setting(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    for variant in ("base", "no-reg"):
        for seed in range(3):
            made_runs.add("Comedy", variant, seed=seed, epochs=9, state="done", dead=seed == 2)
    made_runs.add("Drama", epochs=9, state="done")
    feed = RunFeed(made_runs.folder, lambda: None)
    feed.read()
    whole, setting = feed.genre_table("Comedy"), feed.genre_table("Comedy", "no-reg")
    assert set(whole["name"]) == {"base", "no-reg"}
    assert set(setting["name"]) == {"no-reg"}
    assert set(setting["genre"]) == {"Comedy"}
    assert has_cohort_facts(setting)
    for name in set(setting["run"]):
        assert assess(setting, name) == assess(whole, name)
    assert any(assess(setting, name).findings for name in set(setting["run"]))


def test_where_a_setting_lacks_its_cohorts_that_is_noticed(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Unheard Of", epochs=2, state="done")
    feed = RunFeed(made_runs.folder, lambda: None)
    feed.read()
    assert not has_cohort_facts(feed.genre_table("Unheard Of"))


def test_the_waiting_runs_are_counted_as_they_change(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=1, state="done")
    queued, held, begun = (made_runs.add("Drama", seed=seed) for seed in range(3))
    feed = RunFeed(made_runs.folder, lambda: None)
    changes: list[Callable[[], object]] = [
        lambda: None,
        (made_runs.folder / held / "paused").touch,
        lambda: made_runs.end(queued, "cancelled"),
        lambda: made_runs.hold(begun),
        lambda: made_runs.event(begun, "start", 1.0, device="cpu", from_epoch=1),
    ]
    counts = []
    for change in changes:
        change()
        feed.read()
        counts.append(feed.count_waiting())
    made_runs.close()
    assert counts == [3, 2, 1, 1, 0]
