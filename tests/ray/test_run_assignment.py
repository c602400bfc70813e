"""Which agent is given which run: by genre, priority and group, and not on a full node."""

from __future__ import annotations

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.agent_messages import (
    JoinRun,
    StopAgent,
    TrainRun,
)
from postertui.supervisor.backends.ray.client_messages import SubmitRun
from postertui.supervisor.backends.ray.full_nodes import FULL_SECONDS
from postertui.supervisor.backends.ray.run_messages import RunEnded
from postertui.supervisor.backends.ray.scheduler import (
    Scheduler,
)
from tests.support.ray_messages import given_to, history, join, submit, take_messages
from tests.support.supervisor import make_spec


def test_an_agent_stays_with_its_genre_and_others_take_other_genres() -> None:
    scheduler = Scheduler()
    for genre in ("Comedy", "Drama"):
        for seed in range(2):
            submit(scheduler, make_spec(genre, seed=seed, created=seed))
    join(scheduler, "a")
    join(scheduler, "b")
    scheduler.assign_runs(0)
    first, second = given_to(scheduler, "a"), given_to(scheduler, "b")
    assert first is not None
    assert second is not None
    assert first.startswith("comedy")
    assert second.startswith("drama")
    scheduler.end_run("b", RunEnded(second, "released"))
    scheduler.mark_ready("b", 1)
    scheduler.assign_runs(1)
    following = given_to(scheduler, "b")
    assert following is not None
    assert following.startswith("drama")


def test_priority_goes_before_genre() -> None:
    scheduler = Scheduler()
    submit(scheduler, make_spec("Comedy"))
    urgent = submit(scheduler, make_spec("Western"), priority=1)
    join(scheduler, "a")
    scheduler.assign_runs(0)
    assert given_to(scheduler, "a") == urgent


def test_a_full_node_gets_nothing_for_a_while() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    join(scheduler, "a")
    scheduler.assign_runs(0)
    scheduler.return_run("a", run, 0, full=True)
    scheduler.mark_ready("a", 0)
    take_messages(scheduler, "a")
    scheduler.assign_runs(1)
    scheduler.expire(1, 100, 100)
    assert take_messages(scheduler, "a") == [StopAgent()]
    scheduler.expire(2, 100, 100)
    assert take_messages(scheduler, "a") == []
    assert scheduler.full_nodes.at(1) == ["a"]
    assert not scheduler.full_nodes.at(FULL_SECONDS + 1)
    join(scheduler, "b")
    scheduler.assign_runs(1)
    assert given_to(scheduler, "b") == run


def test_runs_that_left_the_queue_are_skipped_and_new_ones_assigned() -> None:
    scheduler = Scheduler()
    runs = [submit(scheduler, make_spec("Comedy", seed=n, created=n)) for n in range(5)]
    join(scheduler, "a")
    scheduler.assign_runs(0)
    assert given_to(scheduler, "a") == runs[0]
    scheduler.forget(runs[1])
    scheduler.cancel(runs[2], 0)
    scheduler.pause(runs[3])
    join(scheduler, "b")
    scheduler.assign_runs(0)
    assert given_to(scheduler, "b") == runs[4]
    late = submit(scheduler, make_spec("Drama"))
    join(scheduler, "c")
    join(scheduler, "d")
    scheduler.assign_runs(0)
    assert given_to(scheduler, "c") == late
    assert given_to(scheduler, "d") is None
    scheduler.return_run("b", runs[4], 0)
    scheduler.assign_runs(0)
    assert given_to(scheduler, "d") == runs[4]


def make_group(*genres: str) -> list[RunSpec]:
    return [make_spec(genre, group=genres) for genre in genres]


def submit_group(scheduler: Scheduler, specs: list[RunSpec]) -> None:
    together = tuple(spec.run for spec in specs)
    for spec in specs:
        raw = msgspec.Raw(msgspec.json.encode(spec))
        scheduler.submit(SubmitRun(spec.run, raw, together=together), b"")


def test_a_group_is_one_task_that_begins_when_all_its_runs_are_there() -> None:
    scheduler = Scheduler()
    specs = make_group("Action", "Comedy", "Drama")
    names = [spec.run for spec in specs]
    for number, spec in enumerate(reversed(specs)):
        raw = msgspec.Raw(msgspec.json.encode(spec))
        if number == 2:
            join(scheduler, "a")
            scheduler.assign_runs(0)
            assert given_to(scheduler, "a") is None
        scheduler.submit(SubmitRun(spec.run, raw, together=tuple(names)), b"")
    assert scheduler.count_waiting(exclusive=False) == 1
    join(scheduler, "b")
    scheduler.assign_runs(0)
    [*joined, train] = take_messages(scheduler, "a")
    assert [m.run for m in joined if isinstance(m, JoinRun)] == names[1:]
    assert isinstance(train, TrainRun)
    assert train.run == names[0]
    assert given_to(scheduler, "b") is None


def test_a_lost_agents_group_waits_whole_again() -> None:
    scheduler = Scheduler()
    specs = make_group("Action", "Comedy")
    submit_group(scheduler, specs)
    join(scheduler, "a")
    scheduler.assign_runs(0)
    scheduler.append_lines("a", specs[1].run, history(1, 0, 1))
    scheduler.lose_agent("a", 1)
    join(scheduler, "b")
    scheduler.assign_runs(1)
    [joined, train] = take_messages(scheduler, "b")
    assert isinstance(joined, JoinRun)
    assert isinstance(train, TrainRun)
    assert (train.run, joined.run) == (specs[0].run, specs[1].run)
    # What one of them has already got does not keep the others waiting.
    scheduler.end_run("b", RunEnded(specs[0].run, "released"))
    scheduler.forget(specs[0].run)
    scheduler.return_run("b", specs[1].run, 2)
    join(scheduler, "c")
    scheduler.assign_runs(2)
    assert given_to(scheduler, "c") == specs[1].run
