"""Cancel, retry, priority and pause: once or twice, with or without a supervisor, at any moment."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec
from postertui.supervisor import requests
from postertui.supervisor.folder import MAX_CHANGE_COUNTER, change_count, renew_change_counter
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_nothing_left,
    assert_recorded_once,
    ends,
    events_of,
    job_of,
    kill,
    make_spec,
    pace,
    queue,
    read,
    recorded_epochs,
    states,
    supervisor_of,
    train_all,
    train_slowly,
    wait_for,
    wait_until_closed,
    wait_until_over,
    wait_until_trained,
)


def test_cancelled_queued_run_never_starts(folder: Path) -> None:
    kept, cancelled = queue(folder, make_spec("Comedy"), make_spec("Drama"))
    assert requests.cancel(folder, [cancelled]) == {cancelled: "done"}
    assert requests.cancel(folder, [cancelled]) == {cancelled: "unchanged"}
    train_all(folder)
    assert states(folder) == {kept: "done", cancelled: "cancelled"}
    assert [e["event"] for e in events_of(folder, cancelled)] == ["end"]
    assert requests.cancel(folder, [kept]) == {kept: "unchanged"}
    assert_nothing_left(folder, kept)


def last_log_text(folder: Path, run: str) -> str:
    """What the log ends with, after date and time. It is there once the run has its end."""
    return (folder / run / "log.txt").read_text().splitlines()[-1].split(" ", 2)[2]


def test_cancelled_running_run_stops_after_its_epoch_and_keeps_its_epochs(folder: Path) -> None:
    [name] = train_slowly(folder, make_spec(epochs=1000), epochs=3)
    job = job_of(folder, name)
    # On a busy machine the job may have acted on it before the answer.
    assert requests.cancel(folder, [name])[name] in ("requested", "done")
    wait_until_closed(folder, name)
    run = read(folder)[name]
    assert (run.state, run.reason) == ("cancelled", "cancelled")
    assert run.epoch >= 3
    assert [e["event"] for e in events_of(folder, name)][-2:] == ["epoch", "end"]
    assert len(ends(folder, name)) == 1
    assert last_log_text(folder, name) == "cancelled"
    wait_until_over(folder)
    assert not (folder / name / "cancel").exists()
    assert not job.is_alive()


@pytest.mark.slow
def test_cancelled_run_whose_epoch_does_not_end_is_left_all_the_same(folder: Path) -> None:
    hung, other = queue(folder, make_spec("hang"), make_spec("Comedy"))
    requests.ensure_supervisor(folder, jobs=2)
    wait_until_trained(folder, hung, 2)
    requests.cancel(folder, [hung])
    wait_until_over(folder)
    assert states(folder) == {hung: "cancelled", other: "done"}
    assert len(ends(folder, hung)) == 1
    assert last_log_text(folder, hung) == "cancelled"
    assert_nothing_left(folder, other)


def test_of_cancel_and_finish_the_first_wins(folder: Path) -> None:
    specs = [make_spec(seed=seed, epochs=1) for seed in range(40)]
    names = queue(folder, *specs)
    requests.ensure_supervisor(folder, jobs=2)
    stop = threading.Event()

    def cancel_what_finishes() -> None:
        unfinished = list(names)
        while unfinished and not stop.is_set():
            for name in [n for n in unfinished if recorded_epochs(folder, n)]:
                requests.cancel(folder, [name])
                unfinished.remove(name)

    thread = threading.Thread(target=cancel_what_finishes)
    thread.start()
    wait_until_over(folder)
    stop.set()
    thread.join()
    runs = read(folder)
    for name in names:
        [end] = ends(folder, name)
        assert runs[name].state == end["status"]
        assert end["status"] in ("done", "cancelled")
        assert_recorded_once(folder, name)
        assert not (folder / name / "cancel").exists()
    # No earlier request is left over.
    requests.retry(folder, names)
    train_all(folder)
    assert set(states(folder).values()) == {"done"}


def test_wish_to_cancel_outlives_the_job_and_the_supervisor(folder: Path) -> None:
    [name] = queue(folder, make_spec("hang"))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name, 2)
    job = job_of(folder, name)
    kill(supervisor_of(folder))
    assert requests.cancel(folder, [name]) == {name: "requested"}
    kill(job)
    train_all(folder)
    assert states(folder) == {name: "cancelled"}
    assert len(ends(folder, name)) == 1


def test_retry_keeps_what_earlier_attempts_wrote(folder: Path, tmp_path: Path) -> None:
    failed, well = make_spec("raise"), make_spec("Comedy")
    queue(folder, failed, well)
    train_all(folder)
    before = (folder / failed.run / "events.jsonl").read_bytes()
    request = requests.retry(folder, [failed.run, well.run])
    assert request == {failed.run: "done", well.run: "unchanged"}
    assert requests.retry(folder, [failed.run]) == {failed.run: "unchanged"}
    assert states(folder)[failed.run] == "queued"
    train_all(folder)
    after = (folder / failed.run / "events.jsonl").read_bytes()
    assert after.startswith(before)
    run = read(folder)[failed.run]
    assert (run.state, run.attempt) == ("failed", 2)
    assert_as_if_undisturbed(folder, tmp_path, well)


def test_retry_of_a_cancelled_run_goes_on_to_the_same_history(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    spec = make_spec(epochs=100)
    queue(folder, spec)
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, spec.run, 3)
    requests.cancel(folder, [spec.run])
    wait_until_closed(folder, spec.run)
    pace(folder, 0)
    requests.retry(folder, [spec.run])
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, spec)


def test_priority_decides_and_then_genres_follow_each_other(folder: Path) -> None:
    specs = [
        make_spec(genre, seed=seed, epochs=1, created=float(number))
        for number, (seed, genre) in enumerate((s, g) for s in (0, 1) for g in ("B", "A", "C"))
    ]
    names = queue(folder, *specs)
    late, early = specs[0], specs[5]
    assert requests.set_priority(folder, [late.run], -1) == {late.run: "done"}
    assert requests.set_priority(folder, [early.run, early.run], 5) == {early.run: "done"}
    assert requests.priority(folder, early.run) == 5
    train_all(folder, jobs=1)
    began = {name: events_of(folder, name)[0]["time"] for name in names}
    order = [(spec.genre, spec.seed) for spec in sorted(specs, key=lambda s: began[s.run])]
    assert order == [("C", 1), ("C", 0), ("A", 0), ("A", 1), ("B", 1), ("B", 0)]


def test_pause_starts_nothing_more_and_lets_go_on_what_runs(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    specs = [make_spec(seed=seed, epochs=100) for seed in range(2)]
    first, second = queue(folder, *specs)
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, first)
    requests.pause(folder)
    requests.pause(folder)
    pace(folder, 0)
    wait_until_over(folder)
    assert states(folder) == {first: "done", second: "queued"}
    assert "paused" in (requests.status(folder).waiting or "")
    requests.ensure_supervisor(folder)
    wait_until_over(folder)
    assert states(folder) == {first: "done", second: "queued"}
    requests.resume(folder)
    requests.resume(folder)
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)


def test_held_runs_wait_and_lose_nothing(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    specs = [make_spec(genre, epochs=100) for genre in ("A", "B", "C")]
    running, waiting, other = queue(folder, *specs)
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, running, 3)
    request = requests.pause_runs(folder, [running, waiting])
    assert request == {running: "requested", waiting: "done"}
    wait_for(lambda: ends(folder, running))
    pace(folder, 0)
    wait_until_over(folder)
    assert states(folder) == {running: "interrupted", waiting: "queued", other: "done"}
    assert ends(folder, running)[0]["reason"] == "held"
    assert last_log_text(folder, running) == "interrupted: held"
    epochs = recorded_epochs(folder, running)
    assert requests.resume_runs(folder, [running, waiting]) == {running: "done", waiting: "done"}
    assert requests.resume_runs(folder, [running]) == {running: "unchanged"}
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    # The epoch after which it was held had its checkpoint: nothing was trained twice.
    [_, again] = [e for e in events_of(folder, running) if e["event"] == "start"]
    assert again["from_epoch"] == epochs + 1


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "/etc", "a/b", "x\0y", "a" * 300, ".hidden", "", "Comedy", "a\u2024b", "\uff41"],
)
@pytest.mark.parametrize("request_of", ["cancel", "retry", "pause_runs", "resume_runs"])
def test_names_that_no_run_can_have_are_refused(tmp_path: Path, name: str, request_of: str) -> None:
    from postertui.system.errors import UserError

    outside = tmp_path / "x"
    outside.mkdir()
    folder = tmp_path / "runs"
    folder.mkdir()
    with pytest.raises(UserError, match="is not a run's name") as caught:
        getattr(requests, request_of)(folder, [name])
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
    assert list(outside.iterdir()) == []


def test_runs_that_are_not_there_are_missing(tmp_path: Path) -> None:
    assert requests.cancel(tmp_path, ["no-such-run"]) == {"no-such-run": "missing"}


def test_held_run_cannot_be_retried(tmp_path: Path) -> None:
    spec: RunSpec = make_spec()
    queue(tmp_path, spec)
    requests.cancel(tmp_path, [spec.run])
    with RunLock(tmp_path / spec.run) as lock:
        assert lock.acquire()
        assert requests.retry(tmp_path, [spec.run]) == {spec.run: "unchanged"}
    assert requests.retry(tmp_path, [spec.run]) == {spec.run: "done"}


def test_stopping_drops_the_epoch_in_progress_and_keeps_the_rest(
    folder: Path, tmp_path: Path
) -> None:
    specs = [make_spec(genre, epochs=100) for genre in ("A", "B", "C")]
    names = train_slowly(folder, *specs, jobs=2, epochs=4)
    epochs = {name: recorded_epochs(folder, name) for name in names}
    assert requests.stop_supervisor(folder, patience=60)
    assert requests.stop_supervisor(folder)
    assert_nothing_left(folder)
    assert list(states(folder).values()).count("interrupted") == 2
    for name in names[:2]:
        [end] = ends(folder, name)
        assert end["reason"].startswith("stopped")
        assert not end.get("fault")
        assert recorded_epochs(folder, name) >= epochs[name]
    pace(folder, 0)
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)


@pytest.mark.parametrize("genre", ["Comedy", "hang"])
def test_stopping_ends_the_jobs_of_an_earlier_supervisor_too(folder: Path, genre: str) -> None:
    pace(folder, 0.05)
    [name, waiting] = queue(folder, make_spec(genre, epochs=1000), make_spec("x"))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name, 2)
    kill(supervisor_of(folder))
    requests.ensure_supervisor(folder, jobs=1)
    supervisor_of(folder)
    assert requests.stop_supervisor(folder, patience=60)
    assert_nothing_left(folder)
    assert states(folder) == {name: "interrupted", waiting: "queued"}


@pytest.mark.slow
def test_stopping_does_not_wait_for_an_epoch_that_hangs(folder: Path) -> None:
    [name] = queue(folder, make_spec("hang"))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name, 2)
    wait_for(lambda: requests.status(folder).jobs)
    assert requests.stop_supervisor(folder, patience=60)
    assert_nothing_left(folder)
    assert states(folder) == {name: "interrupted"}


def test_change_counter_goes_on_from_supervisor_to_supervisor(folder: Path) -> None:
    """Begun anew, it may come to the number that a reader has seen: a change would be missed."""
    queue(folder, make_spec(epochs=1))
    for _ in range(5):
        requests.notify(folder)
    train_all(folder)
    assert change_count(folder) == 6
    counter = folder / layout.CHANGE_COUNTER
    counter.write_bytes(bytes(MAX_CHANGE_COUNTER + 1))
    renew_change_counter(folder)
    assert change_count(folder) == 0
    counter.symlink_to(folder / "outside")
    renew_change_counter(folder)
    assert not counter.is_symlink()
