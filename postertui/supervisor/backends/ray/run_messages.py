"""Messages about one run that the driver passes on, from the client and from the agent."""

from __future__ import annotations

from typing import Literal

from postertui.supervisor.backends.ray.message_base import Message

#: How a run left its agent. The first four are those of
#: `postertui.supervisor.backends.base.RunReport`; `cancelled`: it was cancelled before it began.
EndKind = Literal["released", "lost", "held", "full", "cancelled"]


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
