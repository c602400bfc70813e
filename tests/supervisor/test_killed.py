"""Whatever is killed, at whatever moment: nothing finished is lost or recorded twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.runs.lock import is_locked
from postertui.supervisor import requests
from tests.support.chaos import Chaos
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_nothing_left,
    ends,
    events_of,
    history,
    job_of,
    kill,
    make_spec,
    pace,
    queue,
    read,
    supervisor_of,
    train_all,
    train_slowly,
    undisturbed,
    wait_for,
    wait_until_closed,
    wait_until_over,
    wait_until_trained,
)


def test_runs_are_trained_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    specs = [make_spec(genre, seed=s) for genre in ("Comedy", "Drama") for s in range(3)]
    queue(folder, *specs)
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)


def test_killed_supervisor_leaves_running_runs_to_finish(folder: Path, tmp_path: Path) -> None:
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama", "Horror")]
    names = train_slowly(folder, *specs, jobs=2)
    kill(supervisor_of(folder))
    pace(folder, 0)
    for name in names[:2]:
        wait_until_closed(folder, name)
    assert read(folder)[names[2]].state == "queued"
    assert_nothing_left(folder, *names[:2])
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    assert all(run.attempt == 1 for run in read(folder).values())


def test_next_supervisor_adopts_what_is_still_trained(folder: Path, tmp_path: Path) -> None:
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama", "Horror")]
    names = train_slowly(folder, *specs, jobs=2)
    owners = [job_of(folder, name) for name in names[:2]]
    kill(supervisor_of(folder))
    requests.ensure_supervisor(folder, jobs=2)
    supervisor_of(folder)
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    for name, owner in zip(names, owners, strict=False):
        assert [e["pid"] for e in events_of(folder, name) if e["event"] == "start"] == [owner.pid]


def test_killed_job_interrupts_only_its_run_which_is_resumed(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama")]
    struck, other = queue(folder, *specs)
    requests.ensure_supervisor(folder, jobs=2)
    wait_until_trained(folder, struck, 8)
    wait_until_trained(folder, other)
    kill(job_of(folder, struck))
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    assert read(folder)[other].attempt == 1
    start = [e for e in events_of(folder, struck) if e["event"] == "start"][-1]
    assert start["attempt"] == 2
    # An epoch of 50 ms outweighs its checkpoint: at most the one in progress is trained again.
    assert start["from_epoch"] > 1
    [lost, _] = ends(folder, struck)
    assert lost["status"] == "interrupted"
    assert "SIGKILL" in lost["reason"]


def test_everything_killed_at_once_goes_on_later(folder: Path, tmp_path: Path) -> None:
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama")]
    names = train_slowly(folder, *specs, jobs=2, epochs=3)
    victims = [supervisor_of(folder), *(job_of(folder, name) for name in names)]
    for victim in victims:
        kill(victim)
    wait_for(lambda: not any(is_locked(folder / name) for name in names))
    assert {run.state for run in read(folder).values()} == {"interrupted"}
    pace(folder, 0)
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_kills_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the kills that `python -m benchmarks.chaos` makes by the hundred."""
    monkeypatch.setenv("CHEAP_SECONDS", "0.01")
    outcome = Chaos(tmp_path, kills=15, seed=3).run()
    assert outcome.kills.total() >= 15
    assert (outcome.lost, outcome.doubled, outcome.stuck) == (0, 0, 0)


@pytest.mark.parametrize(
    ("genre", "cause"),
    [("segfault", "SIGSEGV"), ("exit", "exit code 7"), ("eat", "limit of 150 MB")],
)
def test_run_that_always_loses_its_job_fails_after_three_attempts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genre: str, cause: str
) -> None:
    monkeypatch.setenv("POSTERTUI_JOB_MEMORY_MB", "150")
    lost, well = make_spec(genre), make_spec("Comedy", epochs=20)
    queue(folder, lost, well)
    train_all(folder)
    run = read(folder)[lost.run]
    assert (run.state, run.attempt) == ("failed", 3)
    assert run.reason is not None
    assert cause in run.reason
    assert run.reason.startswith("lost 3 times")
    assert [e["status"] for e in ends(folder, lost.run)] == ["interrupted", "interrupted", "failed"]
    assert isinstance(ends(folder, lost.run)[-1]["log"], list)
    calm = undisturbed(tmp_path, [well])
    assert history(read(folder)[well.run]) == calm[well.run]
    assert_nothing_left(folder, well.run)


def test_failure_of_the_training_itself_is_told_with_its_reason(folder: Path) -> None:
    raising, refusing, well = make_spec("raise"), make_spec("refuse"), make_spec("Comedy")
    queue(folder, raising, refusing, well)
    train_all(folder)
    runs = read(folder)
    assert runs[well.run].state == "done"
    assert runs[raising.run].state == "failed"
    assert "ValueError: the third epoch is one too many" in (runs[raising.run].reason or "")
    assert "Traceback" in (folder / raising.run / "log.txt").read_text()
    assert runs[refusing.run].reason == "genre refuse: no poster of the training cohorts has it"
    assert_nothing_left(folder, well.run)
