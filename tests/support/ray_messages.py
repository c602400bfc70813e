"""What clients and agents send to the Ray backend's scheduler, and what it sends them."""

from __future__ import annotations

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.agent_messages import AgentHello, NodeFacts, TrainRun
from postertui.supervisor.backends.ray.client_messages import SubmitRun
from postertui.supervisor.backends.ray.scheduler import CLIENT, Scheduler


def event(attempt: int, seq: int, kind: str = "epoch", time: float = 1.0, **more: object) -> bytes:
    fields = {"v": 1, "seq": seq, "attempt": attempt, "time": time, "event": kind, **more}
    return msgspec.json.encode(fields) + b"\n"


def history(attempt: int, *seqs: int, time: float = 1.0) -> bytes:
    return b"".join(event(attempt, seq, time=time, epoch=seq) for seq in seqs)


def submit(scheduler: Scheduler, spec: RunSpec, lines: bytes = b"", *, priority: int = 0) -> str:
    scheduler.submit(SubmitRun(spec.run, msgspec.Raw(msgspec.json.encode(spec)), priority), lines)
    return spec.run


def join(scheduler: Scheduler, agent: str, node: str = "", now: float = 0.0, **held: int) -> str:
    named = {name.replace("__", "--"): count for name, count in held.items()}
    scheduler.add_agent(
        agent, AgentHello(agent, NodeFacts(node=node or agent, host="h"), named), now
    )
    scheduler.mark_ready(agent, now)
    return agent


def take_messages(scheduler: Scheduler, to: str = CLIENT) -> list[object]:
    """The messages for one destination since the last call."""
    messages: list[object] = [message for where, message, _ in scheduler.outbox if where == to]
    scheduler.outbox[:] = [entry for entry in scheduler.outbox if entry[0] != to]
    return messages


def given_to(scheduler: Scheduler, agent: str) -> str | None:
    """The run that the agent was last asked to train since the last call; None for none."""
    runs = [m.run for m in take_messages(scheduler, agent) if isinstance(m, TrainRun)]
    return runs[-1] if runs else None
