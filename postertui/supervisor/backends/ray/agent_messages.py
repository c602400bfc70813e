"""Messages between driver and agents: who trains what, and what a node has."""

from __future__ import annotations

import msgspec

from postertui.supervisor.backends.ray.message_base import Message


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has.

    Parameters
    ----------
    node
        Ray's id of the node.
    host
        Its host name.
    versions
        See `node_facts.relevant_versions`.
    cpus, gpu_slots
        The CPUs and GPUs that Ray schedules on the node. A node started with `--num-gpus 0` has
        no GPU slots, whatever devices it has.
    gpus
        The names of its devices.
    free
        Bytes free in its cache.
    home
        The folder of its cache.
    data
        The fingerprint of the data folder that the client asked for, if the node sees it.
    problem
        Why the node cannot train, if it cannot.
    """

    node: str
    host: str
    versions: dict[str, str] = {}
    cpus: float = 0
    gpus: tuple[str, ...] = ()
    gpu_slots: float = 0
    free: int = 0
    home: str = ""
    data: str = ""
    problem: str = ""


class TrainRun(Message, frozen=True):
    """To an agent: train this run. The blob is its events so far.

    `checkpoint` is the epoch of the `CheckpointData` that came before this message; 0 for none.
    `code` is that of `SubmitRun`.
    """

    run: str
    spec: msgspec.Raw
    exclusive: bool = False
    has_data: bool = False
    checkpoint: int = 0
    code: dict[str, bytes] = msgspec.field(default_factory=dict)


class JoinRun(Message, frozen=True):
    """To an agent: train this run together with the one of the next `TrainRun`.

    The blob is its events so far.
    """

    run: str
    spec: msgspec.Raw
    has_data: bool = False


class RequestLines(Message, frozen=True):
    """To an agent: send the event lines that the node still has of these runs."""

    runs: tuple[str, ...]


class StopAgent(Message, frozen=True):
    """To an agent: stop the job and exit."""


class AgentHello(Message, frozen=True):
    """An agent's first message. `held`: event lines on the node of runs that are not locked."""

    task: str
    facts: NodeFacts
    held: dict[str, int] = msgspec.field(default_factory=dict)
    exclusive: bool = False


class AgentReady(Message, frozen=True):
    """The agent has no run."""


class Heartbeat(Message, frozen=True):
    """The agent is alive. Memory in bytes; `gpu` is the share of its device that the job uses."""

    device: str
    pid: int | None = None
    memory: int | None = None
    gpu: float | None = None


class HeldLines(Message, frozen=True):
    """The answer to `RequestLines` for one run; the blob is its lines."""

    run: str


class RunReturned(Message, frozen=True):
    """The agent returns the run unfinished, for another agent. `full`: no room on its disk."""

    run: str
    full: bool = False
