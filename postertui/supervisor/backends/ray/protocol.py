"""What client, driver and agents say to each other.

A message may carry a blob: lines of events as they are on disk, a piece of a log, of a file.
Nothing here is ever unpickled or executed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import msgspec

#: How a run left its agent. The first four are those of
#: `postertui.supervisor.backends.base.Report`; `cancelled`: it was
#: cancelled while it waited and never began.
Ending = Literal["released", "lost", "held", "full", "cancelled"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages."""


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself. `gpus` names its devices, `free` is in bytes in its cache.

    `cpus` and `shares` are the CPUs and GPUs that Ray has to give there; what was started with
    `--num-gpus 0` has none for us, whatever devices it has. `data` is the fingerprint of the data
    folder that it was asked to look for, if it is there.
    """

    node: str
    host: str
    versions: dict[str, str] = {}
    cpus: float = 0
    gpus: tuple[str, ...] = ()
    shares: float = 0
    free: int = 0
    home: str = ""
    data: str = ""
    problem: str = ""


# From the client


class Client(Message, frozen=True):
    """The first message of the collecting side. `nodes`: wait until they all have answered."""

    versions: dict[str, str]
    nodes: bool = False


class Submit(Message, frozen=True):
    """Train this run. The blob is its events so far; to say it again changes nothing.

    `spec` is the content of run.json. `has_data` says that the client can send the run's data.
    """

    run: str
    spec: msgspec.Raw
    priority: int = 0
    alone: bool = False
    has_data: bool = False


class Cancel(Message, frozen=True):
    """Somebody wants the run to end; its job is told, and has some seconds."""

    run: str


class Rest(Message, frozen=True):
    """The run shall wait: it is given back, after its epoch where it is trained."""

    run: str


class Kill(Message, frozen=True):
    """End the run's job at once. To the driver: `lost` will follow with this reason."""

    run: str
    reason: str


class Forget(Message, frozen=True):
    """The client has all of the run, or does not want it: drop it, and end it where it runs."""

    run: str


class Prioritise(Message, frozen=True):
    run: str
    priority: int


class Pause(Message, frozen=True):
    """Whether further runs shall be given out."""

    paused: bool


class Share(Message, frozen=True):
    """How much of a GPU a run takes (None: measure), and how many runs at a time on CPUs."""

    gpu: float | None = None
    jobs: int | None = None


class Close(Message, frozen=True):
    """Stop every run and end; what was trained can be resumed."""


# From the driver


class Welcome(Message, frozen=True):
    """The driver's answer to `Client`: the cluster's nodes and the runs it has already."""

    versions: dict[str, str]
    nodes: tuple[NodeFacts, ...]
    runs: tuple[str, ...]


class Refused(Message, frozen=True):
    """The other side must go: why, for people."""

    reason: str


class Working(msgspec.Struct, frozen=True):
    """An agent and the run it has."""

    host: str
    device: str
    run: str | None
    pid: int | None = None
    memory: int | None = None


class Work(Message, frozen=True):
    """Who works on what, and what is in the way, if anything."""

    agents: tuple[Working, ...]
    trouble: str | None = None


class Train(Message, frozen=True):
    """To an agent: train this run. The blob is its events so far.

    `checkpoint` is the epoch of the checkpoint that a `Saved` before this message brought.
    """

    run: str
    spec: msgspec.Raw
    alone: bool = False
    has_data: bool = False
    checkpoint: int = 0


class Show(Message, frozen=True):
    """To an agent: send what the node still has of these runs."""

    runs: tuple[str, ...]


class Leave(Message, frozen=True):
    """To an agent: finish nothing further, stop, go."""


# From an agent


class Agent(Message, frozen=True):
    """The first message of an agent. `held`: lines the node has of runs that nobody works on."""

    task: str
    facts: NodeFacts
    held: dict[str, int] = {}
    alone: bool = False


class Ready(Message, frozen=True):
    """The agent has no run."""


class Beat(Message, frozen=True):
    """The agent lives. Memory in bytes; `gpu` is the share of its device that the job uses."""

    device: str
    pid: int | None = None
    memory: int | None = None
    gpu: float | None = None


class Holding(Message, frozen=True):
    """All that the node has of a run that nobody works on; the blob is its lines."""

    run: str


class Returned(Message, frozen=True):
    """The agent gives the run back, unfinished; another may have it. `full`: no room on disk."""

    run: str
    full: bool = False


# Both from an agent to the driver and on to the client


class Lines(Message, frozen=True):
    """Events; the blob is whole lines."""

    run: str


class Log(Message, frozen=True):
    """What the job printed; in the blob."""

    run: str


class Ended(Message, frozen=True):
    """No more will come of the run. All its lines came before."""

    run: str
    kind: Ending
    reason: str = ""


class Saved(Message, frozen=True):
    """The blob is the state after `epoch`, as the job wrote it."""

    run: str
    epoch: int


# Files


class Fetch(Message, frozen=True):
    """The first message of an agent that wants the files of a bundle."""

    bundle: str


class Want(Message, frozen=True):
    """To the client: send the bundle that this run needs."""

    bundle: str
    run: str


class File(Message, frozen=True):
    """A piece of a bundle's file, in order; the blob is its bytes. `last` ends the bundle."""

    bundle: str
    name: str
    last: bool = False


class Missing(Message, frozen=True):
    """The bundle cannot be had; why."""

    bundle: str
    reason: str


AnyMessage: TypeAlias = (
    Client | Submit | Cancel | Rest | Kill | Forget | Prioritise | Pause | Share | Close | Welcome
    | Refused | Work | Train | Show | Leave | Agent | Ready | Beat | Holding | Returned | Lines
    | Log | Ended | Saved | Fetch | Want | File | Missing
)  # fmt: skip


class Mark(msgspec.Struct, frozen=True):
    """Which event a line is. `time` tells attempts of the same number apart."""

    attempt: int
    seq: int
    time: float = 0.0
    event: str = ""
    status: str | None = None
    epoch: int | None = None
    checkpoint: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """Grows from line to line of one run."""
        return self.attempt, self.seq

    @property
    def identity(self) -> tuple[int, int, float]:
        return self.attempt, self.seq, self.time

    @property
    def is_end(self) -> bool:
        """Whether the run is over with this event."""
        return self.event == "end" and self.status in ("done", "failed", "cancelled")


class Line(NamedTuple):
    """One line of events, newline included, and which event it is."""

    mark: Mark
    text: bytes


_decode_mark = msgspec.json.Decoder(Mark).decode


def read_lines(data: bytes) -> list[Line]:
    """The whole lines in `data`; what follows the last newline is left out.

    Raises `ValueError` for a line that is not an event.
    """
    try:
        return [
            Line(_decode_mark(text), text)
            for text in data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        ]
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an event: {error}") from None


def newer(known: Line | None, lines: list[Line]) -> list[Line]:
    """Those of `lines`, in order, that come after `known` and after each other."""
    place = known.mark.place if known else (-1, -1)
    found = []
    for line in lines:
        if line.mark.place > place:
            found.append(line)
            place = line.mark.place
    return found


def continues(longer: list[Line], shorter: list[Line]) -> bool:
    """Whether `longer` begins with all of `shorter`."""
    return len(longer) >= len(shorter) and all(
        a.mark.identity == b.mark.identity for a, b in zip(longer, shorter, strict=False)
    )


def join(lines: list[Line]) -> bytes:
    return b"".join(line.text for line in lines)
