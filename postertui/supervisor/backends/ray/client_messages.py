"""Messages between client and driver: what is to be trained, and what the cluster does."""

from __future__ import annotations

import msgspec

from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.backends.ray.message_base import Message


class ClientHello(Message, frozen=True):
    """The client's first message. `nodes`: answer once all nodes have sent their facts."""

    versions: dict[str, str]
    nodes: bool = False


class SubmitRun(Message, frozen=True):
    """Train this run; idempotent. The blob is its events so far.

    `spec` is the content of run.json. `has_data`: the client can send the run's data. `code`:
    the files of the user's own functions, which the user trusts. `together` are the runs, itself
    included, that are trained together with it; empty for a run by itself.
    """

    run: str
    spec: msgspec.Raw
    priority: int = 0
    exclusive: bool = False
    has_data: bool = False
    code: dict[str, bytes] = msgspec.field(default_factory=dict)
    together: tuple[str, ...] = ()


class ForgetRun(Message, frozen=True):
    """The client has the whole run or no longer wants it: drop it, and kill it where it runs."""

    run: str


class SetPriority(Message, frozen=True):
    """Give a waiting run another priority."""

    run: str
    priority: int


class PauseQueue(Message, frozen=True):
    """Whether to start no further runs."""

    paused: bool


class SetLimits(Message, frozen=True):
    """The share of a GPU per run (None: measure it), and how many runs at a time on CPUs."""

    gpu: float | None = None
    jobs: int | None = None


class CloseDriver(Message, frozen=True):
    """Stop every run and exit; what was trained can be resumed."""


class Welcome(Message, frozen=True):
    """The answer to `ClientHello`: the cluster's nodes and the runs that the driver has."""

    versions: dict[str, str]
    nodes: tuple[NodeFacts, ...]
    runs: tuple[str, ...]


class AgentStatus(msgspec.Struct, frozen=True):
    """An agent and the run that it trains."""

    host: str
    device: str
    run: str | None
    pid: int | None = None
    memory: int | None = None


class WorkStatus(Message, frozen=True):
    """All agents, and why no run can be trained, if so."""

    agents: tuple[AgentStatus, ...]
    blocking_reason: str | None = None
