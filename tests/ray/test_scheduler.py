"""Who trains what, and which lines count: the driver's decisions without Ray."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.supervisor.backends.ray.agent_messages import (
    AgentHello,
    NodeFacts,
    RequestLines,
    StopAgent,
    TrainRun,
)
from postertui.supervisor.backends.ray.run_messages import CancelRun, EventLines, KillRun, RunEnded
from postertui.supervisor.backends.ray.scheduler import (
    CANCEL_PATIENCE,
    CLIENT,
    MAX_LOSSES,
    Scheduler,
)
from tests.support.ray_messages import event, given_to, history, join, submit, take_messages
from tests.support.supervisor import make_spec


def collected(scheduler: Scheduler, run: str) -> bytes:
    return b"".join(b for to, m, b in scheduler.outbox if to == CLIENT and m == EventLines(run))


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
