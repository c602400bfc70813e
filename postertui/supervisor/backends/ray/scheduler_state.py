"""What the driver's scheduler keeps of each run and each connected agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.agent_messages import Heartbeat, NodeFacts
from postertui.supervisor.backends.ray.client_messages import AgentStatus, SubmitRun
from postertui.supervisor.backends.ray.event_lines import EventLine
from postertui.supervisor.backends.ray.run_messages import RunEnded
from postertui.supervisor.queue import QueuedRun
from postertui.supervisor.units import unit_of


@dataclass
class SubmittedRun:
    """A run that the client submitted.

    Parameters
    ----------
    entry
        Its place in the queue.
    spec
        The content of its run.json.
    has_data
        Whether the client can send its data.
    lines
        Its events so far.
    agent, node
        The agent that trains it now; the node that last did.
    losses
        How many agents were lost while they trained it.
    log
        The end of its log.
    cancelled
        When it was cancelled, in seconds of the scheduler's clock.
    ended
        How it left its agent, once it has for good.
    code
        The files of the user's own functions.
    together
        The submitted runs, itself included, that are trained together; empty for a run by itself.
    """

    entry: QueuedRun
    spec: msgspec.Raw
    has_data: bool
    lines: list[EventLine] = field(default_factory=list)
    agent: str | None = None
    node: str | None = None
    losses: int = 0
    log: bytes = b""
    cancelled: float | None = None
    ended: RunEnded | None = None
    code: dict[str, bytes] = field(default_factory=dict)
    together: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, message: SubmitRun, lines: list[EventLine]) -> Self:
        """The run that `message` submits, whose events so far are `lines`."""
        spec = msgspec.json.decode(message.spec, type=RunSpec)
        entry = QueuedRun(
            message.run,
            spec.genre,
            spec.created,
            message.priority,
            message.exclusive,
            unit=unit_of(spec),
        )
        return cls(
            entry,
            message.spec,
            message.has_data,
            lines,
            code=message.code,
            together=set(message.together),
        )

    @property
    def is_waiting(self) -> bool:
        return self.agent is None and self.ended is None

    @property
    def is_closed(self) -> bool:
        """Whether its events end it."""
        return bool(self.lines) and self.lines[-1].header.is_end


@dataclass
class ConnectedAgent:
    """An agent and what it is doing.

    Parameters
    ----------
    facts
        Its node.
    task
        The Ray task that started it.
    exclusive
        Whether it has a whole device.
    held
        Event lines on its node by run, of runs that are not trained there.
    run, genre
        What it trains; the genre of its newest run.
    is_ready
        Whether it waits for a run.
    is_stopping
        Whether it was asked to exit.
    stops_after_run
        Whether it is to be asked to exit after its run.
    idle_since, last_message
        Seconds of the scheduler's clock.
    """

    facts: NodeFacts
    task: str
    exclusive: bool
    held: dict[str, int]
    run: str | None = None
    genre: str | None = None
    is_ready: bool = False
    is_stopping: bool = False
    stops_after_run: bool = False
    idle_since: float = 0.0
    last_message: float = 0.0
    heartbeat: Heartbeat | None = None

    def status(self) -> AgentStatus:
        """What clients are shown of it."""
        beat = self.heartbeat or Heartbeat("cpu")
        return AgentStatus(self.facts.host, beat.device, self.run, beat.pid, beat.memory)
