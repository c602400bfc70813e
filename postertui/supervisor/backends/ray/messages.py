"""The messages between client (the supervisor's side), driver and agents.

A message may carry a blob: lines of events as they are on disk, a piece of a log or of a file.
Blobs are data: nothing that arrives is unpickled or executed.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

#: How a run left its agent. The first four are those of
#: `postertui.supervisor.backends.base.RunReport`; `cancelled`: it was cancelled before it began.
EndKind = Literal["released", "lost", "held", "full", "cancelled"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages."""


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


# From the client


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
    code: dict[str, bytes] = {}
    together: tuple[str, ...] = ()


class CancelRun(Message, frozen=True):
    """End the run on the user's request; its job has some seconds to do it."""

    run: str


class PauseRun(Message, frozen=True):
    """Return the run to the client, after its current epoch where it is trained."""

    run: str


class KillRun(Message, frozen=True):
    """End the run's job at once. The driver answers with `RunEnded` `lost` and this reason."""

    run: str
    reason: str


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


# From the driver


class Welcome(Message, frozen=True):
    """The answer to `ClientHello`: the cluster's nodes and the runs that the driver has."""

    versions: dict[str, str]
    nodes: tuple[NodeFacts, ...]
    runs: tuple[str, ...]


class Rejected(Message, frozen=True):
    """The other side must disconnect, for this reason."""

    reason: str


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
    code: dict[str, bytes] = {}


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


# From an agent


class AgentHello(Message, frozen=True):
    """An agent's first message. `held`: event lines on the node of runs that are not locked."""

    task: str
    facts: NodeFacts
    held: dict[str, int] = {}
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


# From an agent to the driver, and from the driver to the client


class EventLines(Message, frozen=True):
    """New events of a run; the blob is complete lines."""

    run: str


class LogText(Message, frozen=True):
    """What the job printed; in the blob."""

    run: str


class RunEnded(Message, frozen=True):
    """The run has left its agent. All its lines were sent before."""

    run: str
    kind: EndKind
    reason: str = ""


class ResultFile(Message, frozen=True):
    """The blob is the content of one of `layout.RESULTS`; comes before the run's last lines."""

    run: str
    name: str


class CheckpointData(Message, frozen=True):
    """The blob is the state after `epoch`, as the job wrote it."""

    run: str
    epoch: int


# Files


class FetchBundle(Message, frozen=True):
    """The first message of an agent that needs the files of a bundle."""

    bundle: str


class RequestBundle(Message, frozen=True):
    """To the client: send the bundle that this run needs."""

    bundle: str
    run: str


class FilePiece(Message, frozen=True):
    """A piece of a bundle's file, in order; the blob is its bytes. `last` ends the bundle."""

    bundle: str
    name: str
    last: bool = False


class BundleUnavailable(Message, frozen=True):
    """The bundle cannot be sent, for this reason."""

    bundle: str
    reason: str


AnyMessage: TypeAlias = (
    # From the client
    ClientHello | SubmitRun | CancelRun | PauseRun | KillRun | ForgetRun | SetPriority
    | PauseQueue | SetLimits | CloseDriver
    # From the driver
    | Welcome | Rejected | WorkStatus | TrainRun | JoinRun | RequestLines | StopAgent
    # From an agent
    | AgentHello | AgentReady | Heartbeat | HeldLines | RunReturned
    # From both
    | EventLines | LogText | RunEnded | CheckpointData | ResultFile
    # Files
    | FetchBundle | RequestBundle | FilePiece | BundleUnavailable
)  # fmt: skip
