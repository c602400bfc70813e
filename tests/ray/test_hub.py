"""Who trains what, and which lines count: the driver's decisions without Ray."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.hub import (
    CANCEL_PATIENCE,
    CLIENT,
    FULL_SECONDS,
    MAX_LOSSES,
    Hub,
)
from postertui.supervisor.backends.ray.protocol import (
    Agent,
    Cancel,
    Ended,
    Kill,
    Leave,
    Lines,
    NodeFacts,
    Show,
    Submit,
    Train,
)
from tests.support.supervisor import make_spec


def event(attempt: int, seq: int, kind: str = "epoch", time: float = 1.0, **more: object) -> bytes:
    fields = {"v": 1, "seq": seq, "attempt": attempt, "time": time, "event": kind, **more}
    return msgspec.json.encode(fields) + b"\n"


def history(attempt: int, *seqs: int, time: float = 1.0) -> bytes:
    return b"".join(event(attempt, seq, time=time, epoch=seq) for seq in seqs)


def submit(hub: Hub, spec: RunSpec, known: bytes = b"", *, priority: int = 0) -> str:
    hub.submit(Submit(spec.run, msgspec.Raw(msgspec.json.encode(spec)), priority), known)
    return spec.run


def join(hub: Hub, agent: str, node: str = "", now: float = 0.0, **held: int) -> str:
    named = {name.replace("__", "--"): count for name, count in held.items()}
    hub.join(agent, Agent(agent, NodeFacts(node=node or agent, host="h"), named), now)
    hub.ready(agent, now)
    return agent


def said(hub: Hub, to: str = CLIENT) -> list[object]:
    """What was left for one destination since the last call."""
    found: list[object] = [message for where, message, _ in hub.outbox if where == to]
    hub.outbox[:] = [entry for entry in hub.outbox if entry[0] != to]
    return found


def given_to(hub: Hub, agent: str) -> str | None:
    runs = [m.run for m in said(hub, agent) if isinstance(m, Train)]
    return runs[-1] if runs else None


def collected(hub: Hub, run: str) -> bytes:
    return b"".join(b for to, m, b in hub.outbox if to == CLIENT and m == Lines(run))


def test_an_agent_stays_with_its_genre_and_others_take_other_genres() -> None:
    hub = Hub()
    for genre in ("Comedy", "Drama"):
        for seed in range(2):
            submit(hub, make_spec(genre, seed=seed, created=seed))
    join(hub, "a")
    join(hub, "b")
    hub.hand_out(0)
    first, second = given_to(hub, "a"), given_to(hub, "b")
    assert first is not None
    assert second is not None
    assert first.startswith("comedy")
    assert second.startswith("drama")
    hub.ended("b", Ended(second, "released"))
    hub.ready("b", 1)
    hub.hand_out(1)
    following = given_to(hub, "b")
    assert following is not None
    assert following.startswith("drama")


def test_priority_goes_before_genre() -> None:
    hub = Hub()
    submit(hub, make_spec("Comedy"))
    urgent = submit(hub, make_spec("Western"), priority=1)
    join(hub, "a")
    hub.hand_out(0)
    assert given_to(hub, "a") == urgent


def test_lines_of_who_does_not_hold_the_run_are_dropped() -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    join(hub, "a")
    join(hub, "b")
    hub.hand_out(0)
    hub.take("a", run, history(1, 0, 1))
    hub.take("b", run, history(1, 2, 3))
    assert collected(hub, run) == history(1, 0, 1)


def test_lost_agents_give_their_run_to_the_next_until_it_is_suspected() -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    for number in range(MAX_LOSSES):
        agent = join(hub, f"a{number}")
        hub.hand_out(0)
        assert given_to(hub, agent) == run
        hub.lose(agent, 0)
    [ended] = said(hub)
    assert ended == Ended(run, "lost", f"its node was lost {MAX_LOSSES} times")


def test_a_task_that_ray_starts_again_replaces_its_agent() -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    join(hub, "task/1")
    hub.hand_out(0)
    again = Agent("task/1", NodeFacts(node="n2", host="h"))
    hub.join("task/2", again, 1)
    hub.ready("task/2", 1)
    hub.hand_out(1)
    assert list(hub.agents) == ["task/2"]
    assert given_to(hub, "task/2") == run
    hub.take("task/1", run, history(1, 0))
    assert not collected(hub, run)


def test_a_returning_node_is_asked_and_its_lines_are_merged() -> None:
    hub = Hub()
    spec = make_spec()
    run = submit(hub, spec, history(1, 0, 1))
    hub.join("a", Agent("a", NodeFacts(node="n", host="h"), {run: 4}), 0)
    assert said(hub, "a") == [Show((run,))]
    hub.hold("a", run, history(1, 0, 1, 2, 3))
    assert collected(hub, run) == history(1, 2, 3)


def test_what_a_node_has_of_an_overtaken_attempt_is_not_merged() -> None:
    hub = Hub()
    run = submit(hub, make_spec(), history(1, 0, 1) + history(2, 2, 3))
    join(hub, "a")
    hub.hold("a", run, history(1, 0, 1, 2, 3, 4, 5))
    assert not collected(hub, run)
    # Nor of one that has the same numbers, but was another.
    hub.hold("a", run, history(1, 0, 1) + history(2, 2, 3, 4, time=2.0))
    assert not collected(hub, run)


def test_a_run_that_ended_on_a_returning_node_is_not_trained_again() -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    join(hub, "a")
    hub.hold("a", run, history(1, 0, 1) + event(1, 2, "end", status="done"))
    hub.hand_out(0)
    assert given_to(hub, "a") is None
    assert said(hub)[-1] == Ended(run, "released")


def test_a_client_that_comes_back_is_told_what_it_lacks() -> None:
    hub = Hub()
    spec = make_spec()
    run = submit(hub, spec)
    join(hub, "a")
    hub.hand_out(0)
    end = event(1, 3, "end", status="done")
    hub.take("a", run, history(1, 0, 1, 2) + end)
    hub.ended("a", Ended(run, "released"))
    hub.outbox.clear()
    submit(hub, spec, history(1, 0))
    assert collected(hub, run) == history(1, 1, 2) + end
    assert said(hub)[-1] == Ended(run, "released")


def test_a_client_whose_files_say_otherwise_is_right() -> None:
    hub = Hub()
    spec = make_spec()
    run = submit(hub, spec)
    join(hub, "a")
    hub.hand_out(0)
    hub.take("a", run, history(1, 0, 1, 2))
    said(hub, "a")
    hub.outbox.clear()
    theirs = history(1, 0, 1) + event(1, 2, "end", 9.0, status="interrupted")
    submit(hub, spec, theirs)
    assert said(hub, "a") == [Kill(run, "no longer wanted")]
    hub.take("a", run, history(1, 3))
    assert not collected(hub, run)
    assert hub.runs[run].waits


def test_cancel_ends_a_waiting_run_at_once_and_tells_the_job_of_another() -> None:
    hub = Hub()
    trained = submit(hub, make_spec("Comedy"))
    waiting = submit(hub, make_spec("Drama"))
    join(hub, "a")
    hub.hand_out(0)
    said(hub, "a")
    hub.cancel(waiting, 0)
    hub.cancel(trained, 0)
    hub.cancel(trained, 1)
    assert said(hub) == [Ended(waiting, "cancelled")]
    assert said(hub, "a") == [Cancel(trained)]
    hub.overdue(CANCEL_PATIENCE + 1, 100, 100)
    assert said(hub) == [Ended(trained, "cancelled")]
    assert said(hub, "a") == [Kill(trained, "cancelled")]


def test_a_full_node_gets_nothing_for_a_while() -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    join(hub, "a")
    hub.hand_out(0)
    hub.returned("a", run, 0, full=True)
    hub.ready("a", 0)
    said(hub, "a")
    hub.hand_out(1)
    hub.overdue(1, 100, 100)
    assert said(hub, "a") == [Leave()]
    assert hub.full_nodes(1) == ["a"]
    assert not hub.full_nodes(FULL_SECONDS + 1)
    join(hub, "b")
    hub.hand_out(1)
    assert given_to(hub, "b") == run


def test_paused_hands_out_nothing_and_close_gives_everything_back() -> None:
    hub = Hub()
    trained = submit(hub, make_spec("Comedy"))
    join(hub, "a")
    hub.hand_out(0)
    said(hub, "a")
    waiting = submit(hub, make_spec("Drama"))
    join(hub, "b")
    hub.paused = True
    hub.hand_out(0)
    assert given_to(hub, "b") is None
    hub.close()
    assert said(hub) == [Ended(waiting, "released")]
    assert said(hub, "a") == [Leave()]
    hub.returned("a", trained, 1)
    assert said(hub) == [Ended(trained, "lost", "stopped")]


@pytest.mark.parametrize(("status", "over"), [("done", True), ("interrupted", False)])
def test_only_a_run_that_is_over_is_forgotten_with_its_checkpoint(status: str, over: bool) -> None:
    hub = Hub()
    run = submit(hub, make_spec())
    join(hub, "a")
    hub.hand_out(0)
    hub.take("a", run, history(1, 0, 1) + event(1, 2, "end", status=status))
    assert hub.forget(run) is over
    assert hub.forget(run) is False


def test_whoever_leaves_the_queue_is_not_given_out_and_newcomers_are() -> None:
    hub = Hub()
    runs = [submit(hub, make_spec("Comedy", seed=n, created=n)) for n in range(5)]
    join(hub, "a")
    hub.hand_out(0)
    assert given_to(hub, "a") == runs[0]
    hub.forget(runs[1])
    hub.cancel(runs[2], 0)
    hub.rest(runs[3])
    join(hub, "b")
    hub.hand_out(0)
    assert given_to(hub, "b") == runs[4]
    late = submit(hub, make_spec("Drama"))
    join(hub, "c")
    join(hub, "d")
    hub.hand_out(0)
    assert given_to(hub, "c") == late
    assert given_to(hub, "d") is None
    hub.returned("b", runs[4], 0)
    hub.hand_out(0)
    assert given_to(hub, "d") == runs[4]


def test_silent_agents_are_named() -> None:
    hub = Hub()
    join(hub, "a", now=0)
    join(hub, "b", now=8)
    assert hub.overdue(10, silence=5, idle=100) == ["a"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["lines", "lose", "join", "hold", "submit"]), st.integers(0, 3)),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_lines_only_grow_and_none_is_told_twice(
    steps: list[tuple[str, int]],
) -> None:
    """Agents come, train, go and come back with what they had; the client sees one history."""
    hub = Hub()
    spec = make_spec()
    run = submit(hub, spec)
    disks: dict[str, list[bytes]] = {}
    collected_lines: list[bytes] = []
    clock = 0.0

    def gather() -> None:
        for to, message, blob in hub.outbox:
            if to == CLIENT and message == Lines(run):
                collected_lines.extend(blob.splitlines(keepends=True))
            elif isinstance(message, Train):
                disks[to] = blob.splitlines(keepends=True)
        hub.outbox.clear()

    for step, number in steps:
        clock += 1
        agent = f"a{number}"
        match step:
            case "join" if agent not in hub.agents:
                held = {run: len(disks[agent])} if agent in disks else {}
                hub.join(agent, Agent(agent, NodeFacts(node=agent, host="h"), held), clock)
                hub.ready(agent, clock)
            case "lines" if agent in hub.agents and hub.runs[run].holder == agent:
                known = [msgspec.json.decode(line) for line in disks[agent]]
                attempt = max((e["attempt"] for e in known), default=0)
                begins = not known or known[-1]["time"] < hub.agents[agent].heard
                line = event(attempt + begins, len(known), time=clock)
                disks[agent].append(line)
                # Some of what is on the disk never gets through.
                if number % 2:
                    hub.take(agent, run, line)
            case "lose":
                hub.lose(agent, clock)
            case "hold" if agent in hub.agents and agent in disks:
                hub.hold(agent, run, b"".join(disks[agent]))
            case "submit":
                submit(hub, spec, b"".join(collected_lines))
            case _:
                pass
        if hub.runs[run].ended:
            hub.forget(run)
            submit(hub, spec, b"".join(collected_lines))
        hub.hand_out(clock)
        gather()
        places = [(e["attempt"], e["seq"]) for e in map(msgspec.json.decode, collected_lines)]
        assert places == sorted(set(places))
        assert b"".join(collected_lines) == b"".join(x.text for x in hub.runs[run].lines)
