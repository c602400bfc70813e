"""Every message that a connection may carry."""

from __future__ import annotations

from typing import TypeAlias

from postertui.supervisor.backends.ray.agent_messages import (
    AgentHello,
    AgentReady,
    Heartbeat,
    HeldLines,
    JoinRun,
    RequestLines,
    RunReturned,
    StopAgent,
    TrainRun,
)
from postertui.supervisor.backends.ray.client_messages import (
    ClientHello,
    CloseDriver,
    ForgetRun,
    PauseQueue,
    SetLimits,
    SetPriority,
    SubmitRun,
    Welcome,
    WorkStatus,
)
from postertui.supervisor.backends.ray.file_messages import (
    BundleUnavailable,
    FetchBundle,
    FilePiece,
    RequestBundle,
)
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.supervisor.backends.ray.run_messages import (
    CancelRun,
    CheckpointData,
    EventLines,
    KillRun,
    LogText,
    PauseRun,
    ResultFile,
    RunEnded,
)

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
