"""What all messages between client (the supervisor's side), driver and agents have in common.

A message may carry a blob: lines of events as they are on disk, a piece of a log or of a file.
Blobs are data: nothing that arrives is unpickled or executed.
"""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages."""


class Rejected(Message, frozen=True):
    """The other side must disconnect, for this reason."""

    reason: str
