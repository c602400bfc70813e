"""Genres that share layers are one unit of work: trained, stopped and started together."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.supervisor import requests
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_nothing_left,
    events_of,
    job_of,
    kill,
    make_spec,
    pace,
    queue,
    read,
    states,
    supervisor_of,
    train_all,
    train_slowly,
    wait_for,
    wait_until_closed,
    wait_until_over,
    wait_until_trained,
)

GENRES = ("Action", "Comedy", "Drama")


def make_group(epochs: int = 5, seed: int = 0) -> list[RunSpec]:
    variant = Variant(name="shared", share="fc1", epochs=epochs)
    specs = (make_spec(genre, seed=seed, group=GENRES) for genre in GENRES)
    return [msgspec.structs.replace(spec, variant=variant) for spec in specs]


def pids(folder: Path, names: list[str]) -> list[set[int]]:
    """The processes that have trained each run."""
    return [{e["pid"] for e in events_of(folder, name) if e["event"] == "start"} for name in names]


def test_one_job_trains_the_group_and_each_run_has_its_own_history(
    folder: Path, tmp_path: Path
) -> None:
    group, single = make_group(), make_spec("Comedy")
    names = queue(folder, *group)
    queue(folder, single)
    train_all(folder, jobs=1)
    assert_as_if_undisturbed(folder, tmp_path, *group, single)
    assert len(set.union(*pids(folder, names))) == 1
    starts = {e["time"] // 1 for name in names for e in events_of(folder, name)[:1]}
    assert max(starts) - min(starts) <= 1
    histories = {tuple(run.epochs.values("test_loss")) for run in read(folder).values()}
    assert len(histories) == 3  # Comedy's is the same alone, with this trainer


def test_cancel_and_retry_of_one_run_are_of_all(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    group, waiting = make_group(epochs=100), make_group(epochs=100, seed=1)
    names, later = queue(folder, *group), queue(folder, *waiting)
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, names[0], 2)
    asked = requests.cancel(folder, [names[1], later[2]])
    assert asked.keys() == {*names, *later}
    assert set(asked.values()) <= {"requested", "done"}
    for name in (*names, *later):
        wait_until_closed(folder, name)
    wait_until_over(folder)
    assert set(states(folder).values()) == {"cancelled"}
    trained = {name: run.epoch for name, run in read(folder).items() if name in names}
    assert len(set(trained.values())) == 1
    pace(folder, 0)
    assert requests.retry(folder, names[:1]) == dict.fromkeys(names, "done")
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *group)
    # From the group's checkpoint, not from the beginning.
    resumed = [
        [e["from_epoch"] for e in events_of(folder, n) if e["event"] == "start"][1] for n in names
    ]
    assert resumed[0] == resumed[1] == resumed[2] > 1


def test_killed_job_interrupts_all_and_all_go_on_from_one_checkpoint(
    folder: Path, tmp_path: Path
) -> None:
    group = make_group(epochs=100)
    names = train_slowly(folder, *group, jobs=2, epochs=3)
    kill(job_of(folder, names[2]))
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *group)
    resumed = [
        [e["from_epoch"] for e in events_of(folder, n) if e["event"] == "start"] for n in names
    ]
    assert resumed[0] == resumed[1] == resumed[2]
    assert len(resumed[0]) == 2
    assert resumed[0][1] > 1


def test_killed_supervisor_is_followed_by_one_that_adopts_the_group(
    folder: Path, tmp_path: Path
) -> None:
    group = make_group(epochs=100)
    names = train_slowly(folder, *group)
    kill(supervisor_of(folder))
    other = make_spec("Horror")
    queue(folder, other)
    requests.ensure_supervisor(folder, jobs=2)
    # A group that is adopted takes one of the two places.
    wait_until_closed(folder, other.run)
    assert set(states(folder).values()) == {"running", "done"}
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *group, other)
    assert len(set.union(*pids(folder, names))) == 1


def test_paused_group_waits_and_goes_on(folder: Path, tmp_path: Path) -> None:
    group = make_group(epochs=60)
    names = train_slowly(folder, *group, epochs=2)
    assert requests.pause_runs(folder, names[2:]) == dict.fromkeys(names, "requested")
    wait_for(lambda: set(states(folder).values()) == {"interrupted"}, "the group to wait")
    wait_until_over(folder)
    pace(folder, 0)
    requests.resume_runs(folder, names[:1])
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *group)


def test_run_that_was_removed_is_trained_again_and_the_others_stay(
    folder: Path, tmp_path: Path
) -> None:
    group = make_group()
    names = queue(folder, *group)
    train_all(folder)
    before = [events_of(folder, name) for name in names]
    shutil.rmtree(folder / names[1])
    queue(folder, group[1])
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, *group)
    assert [events_of(folder, name) for name in (names[0], names[2])] == [before[0], before[2]]


def test_damaged_run_does_not_hold_up_the_others(folder: Path) -> None:
    group = make_group()
    names = queue(folder, *group)
    (folder / names[0] / "events.jsonl").write_bytes(b"not an event\n")
    train_all(folder)
    runs = read(folder)
    assert [runs[name].state for name in names[1:]] == ["done", "done"]
    assert runs[names[0]].damage is not None
    assert_nothing_left(folder, *names[1:])
