"""Who trains what, and which lines count: the driver's decisions without Ray."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.agent_messages import (
    AgentHello,
    JoinRun,
    NodeFacts,
    RequestLines,
    StopAgent,
    TrainRun,
)
from postertui.supervisor.backends.ray.client_messages import SubmitRun
from postertui.supervisor.backends.ray.full_nodes import FULL_SECONDS
from postertui.supervisor.backends.ray.run_messages import CancelRun, EventLines, KillRun, RunEnded
from postertui.supervisor.backends.ray.scheduler import (
    CANCEL_PATIENCE,
    CLIENT,
    MAX_LOSSES,
    Scheduler,
)
from tests.support.ray_messages import event, history, join, submit
from tests.support.supervisor import make_spec


def take_messages(scheduler: Scheduler, to: str = CLIENT) -> list[object]:
    """What was left for one destination since the last call."""
    messages: list[object] = [message for where, message, _ in scheduler.outbox if where == to]
    scheduler.outbox[:] = [entry for entry in scheduler.outbox if entry[0] != to]
    return messages


def given_to(scheduler: Scheduler, agent: str) -> str | None:
    runs = [m.run for m in take_messages(scheduler, agent) if isinstance(m, TrainRun)]
    return runs[-1] if runs else None


def collected(scheduler: Scheduler, run: str) -> bytes:
    return b"".join(b for to, m, b in scheduler.outbox if to == CLIENT and m == EventLines(run))


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


def test_lines_of_an_agent_that_does_not_have_the_run_are_dropped() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    join(scheduler, "a")
    join(scheduler, "b")
    scheduler.assign_runs(0)
    scheduler.append_lines("a", run, history(1, 0, 1))
    scheduler.append_lines("b", run, history(1, 2, 3))
    assert collected(scheduler, run) == history(1, 0, 1)


def test_lost_agents_give_their_run_to_the_next_until_it_is_suspected() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    for number in range(MAX_LOSSES):
        agent = join(scheduler, f"a{number}")
        scheduler.assign_runs(0)
        assert given_to(scheduler, agent) == run
        scheduler.lose_agent(agent, 0)
    [ended] = take_messages(scheduler)
    assert ended == RunEnded(run, "lost", f"its node was lost {MAX_LOSSES} times")


def test_a_task_that_ray_starts_again_replaces_its_agent() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    join(scheduler, "task/1")
    scheduler.assign_runs(0)
    again = AgentHello("task/1", NodeFacts(node="n2", host="h"))
    scheduler.add_agent("task/2", again, 1)
    scheduler.mark_ready("task/2", 1)
    scheduler.assign_runs(1)
    assert list(scheduler.agents) == ["task/2"]
    assert given_to(scheduler, "task/2") == run
    scheduler.append_lines("task/1", run, history(1, 0))
    assert not collected(scheduler, run)


def test_a_returning_node_is_asked_and_its_lines_are_merged() -> None:
    scheduler = Scheduler()
    spec = make_spec()
    run = submit(scheduler, spec, history(1, 0, 1))
    scheduler.add_agent("a", AgentHello("a", NodeFacts(node="n", host="h"), {run: 4}), 0)
    assert take_messages(scheduler, "a") == [RequestLines((run,))]
    scheduler.merge_held_lines("a", run, history(1, 0, 1, 2, 3))
    assert collected(scheduler, run) == history(1, 2, 3)


def test_what_a_node_has_of_an_overtaken_attempt_is_not_merged() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec(), history(1, 0, 1) + history(2, 2, 3))
    join(scheduler, "a")
    scheduler.merge_held_lines("a", run, history(1, 0, 1, 2, 3, 4, 5))
    assert not collected(scheduler, run)
    # Nor of one that has the same numbers, but was another.
    scheduler.merge_held_lines("a", run, history(1, 0, 1) + history(2, 2, 3, 4, time=2.0))
    assert not collected(scheduler, run)


def test_a_run_that_ended_on_a_returning_node_is_not_trained_again() -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    join(scheduler, "a")
    scheduler.merge_held_lines("a", run, history(1, 0, 1) + event(1, 2, "end", status="done"))
    scheduler.assign_runs(0)
    assert given_to(scheduler, "a") is None
    assert take_messages(scheduler)[-1] == RunEnded(run, "released")


def test_a_client_that_reconnects_gets_what_it_lacks() -> None:
    scheduler = Scheduler()
    spec = make_spec()
    run = submit(scheduler, spec)
    join(scheduler, "a")
    scheduler.assign_runs(0)
    end = event(1, 3, "end", status="done")
    scheduler.append_lines("a", run, history(1, 0, 1, 2) + end)
    scheduler.end_run("a", RunEnded(run, "released"))
    scheduler.outbox.clear()
    submit(scheduler, spec, history(1, 0))
    assert collected(scheduler, run) == history(1, 1, 2) + end
    assert take_messages(scheduler)[-1] == RunEnded(run, "released")


def test_a_client_with_another_history_replaces_the_drivers() -> None:
    scheduler = Scheduler()
    spec = make_spec()
    run = submit(scheduler, spec)
    join(scheduler, "a")
    scheduler.assign_runs(0)
    scheduler.append_lines("a", run, history(1, 0, 1, 2))
    take_messages(scheduler, "a")
    scheduler.outbox.clear()
    theirs = history(1, 0, 1) + event(1, 2, "end", 9.0, status="interrupted")
    submit(scheduler, spec, theirs)
    assert take_messages(scheduler, "a") == [KillRun(run, "no longer wanted")]
    scheduler.append_lines("a", run, history(1, 3))
    assert not collected(scheduler, run)
    assert scheduler.runs[run].is_waiting


def test_cancel_ends_a_waiting_run_at_once_and_a_trained_one_by_its_job() -> None:
    scheduler = Scheduler()
    trained = submit(scheduler, make_spec("Comedy"))
    waiting = submit(scheduler, make_spec("Drama"))
    join(scheduler, "a")
    scheduler.assign_runs(0)
    take_messages(scheduler, "a")
    scheduler.cancel(waiting, 0)
    scheduler.cancel(trained, 0)
    scheduler.cancel(trained, 1)
    assert take_messages(scheduler) == [RunEnded(waiting, "cancelled")]
    assert take_messages(scheduler, "a") == [CancelRun(trained)]
    scheduler.expire(CANCEL_PATIENCE + 1, 100, 100)
    assert take_messages(scheduler) == [RunEnded(trained, "cancelled")]
    assert take_messages(scheduler, "a") == [KillRun(trained, "cancelled")]


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
    assert scheduler.full_nodes.at(1) == ["a"]
    assert not scheduler.full_nodes.at(FULL_SECONDS + 1)
    join(scheduler, "b")
    scheduler.assign_runs(1)
    assert given_to(scheduler, "b") == run


def test_paused_hands_out_nothing_and_close_gives_everything_back() -> None:
    scheduler = Scheduler()
    trained = submit(scheduler, make_spec("Comedy"))
    join(scheduler, "a")
    scheduler.assign_runs(0)
    take_messages(scheduler, "a")
    waiting = submit(scheduler, make_spec("Drama"))
    join(scheduler, "b")
    scheduler.paused = True
    scheduler.assign_runs(0)
    assert given_to(scheduler, "b") is None
    scheduler.close()
    assert take_messages(scheduler) == [RunEnded(waiting, "released")]
    assert take_messages(scheduler, "a") == [StopAgent()]
    scheduler.return_run("a", trained, 1)
    assert take_messages(scheduler) == [RunEnded(trained, "lost", "stopped")]


@pytest.mark.parametrize(("status", "over"), [("done", True), ("interrupted", False)])
def test_only_a_run_that_is_over_is_forgotten_with_its_checkpoint(status: str, over: bool) -> None:
    scheduler = Scheduler()
    run = submit(scheduler, make_spec())
    join(scheduler, "a")
    scheduler.assign_runs(0)
    scheduler.append_lines("a", run, history(1, 0, 1) + event(1, 2, "end", status=status))
    assert scheduler.forget(run) is over
    assert scheduler.forget(run) is False


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


def test_silent_agents_are_reported() -> None:
    scheduler = Scheduler()
    join(scheduler, "a", now=0)
    join(scheduler, "b", now=8)
    assert scheduler.expire(10, silence=5, idle=100) == ["a"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["lines", "lose", "join", "hold", "submit"]), st.integers(0, 3)),
    max_size=40,
)


@given(STEPS)
def test_lines_only_grow_and_none_is_sent_twice(
    steps: list[tuple[str, int]],
) -> None:
    """Agents come, train, go and come back with what they had; the client sees one history."""
    scheduler = Scheduler()
    spec = make_spec()
    run = submit(scheduler, spec)
    disks: dict[str, list[bytes]] = {}
    collected_lines: list[bytes] = []
    clock = 0.0

    def gather() -> None:
        for to, message, blob in scheduler.outbox:
            if to == CLIENT and message == EventLines(run):
                collected_lines.extend(blob.splitlines(keepends=True))
            elif isinstance(message, TrainRun):
                disks[to] = blob.splitlines(keepends=True)
        scheduler.outbox.clear()

    for step, number in steps:
        clock += 1
        agent = f"a{number}"
        match step:
            case "join" if agent not in scheduler.agents:
                held = {run: len(disks[agent])} if agent in disks else {}
                scheduler.add_agent(
                    agent, AgentHello(agent, NodeFacts(node=agent, host="h"), held), clock
                )
                scheduler.mark_ready(agent, clock)
            case "lines" if agent in scheduler.agents and scheduler.runs[run].agent == agent:
                written = [msgspec.json.decode(line) for line in disks[agent]]
                attempt = max((e["attempt"] for e in written), default=0)
                begins = not written or written[-1]["time"] < scheduler.agents[agent].last_message
                line = event(attempt + begins, len(written), time=clock)
                disks[agent].append(line)
                # Some of what is on the disk never gets through.
                if number % 2:
                    scheduler.append_lines(agent, run, line)
            case "lose":
                scheduler.lose_agent(agent, clock)
            case "hold" if agent in scheduler.agents and agent in disks:
                scheduler.merge_held_lines(agent, run, b"".join(disks[agent]))
            case "submit":
                submit(scheduler, spec, b"".join(collected_lines))
            case _:
                pass
        if scheduler.runs[run].ended:
            scheduler.forget(run)
            submit(scheduler, spec, b"".join(collected_lines))
        scheduler.assign_runs(clock)
        gather()
        places = [(e["attempt"], e["seq"]) for e in map(msgspec.json.decode, collected_lines)]
        assert places == sorted(set(places))
        assert b"".join(collected_lines) == b"".join(x.text for x in scheduler.runs[run].lines)


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
