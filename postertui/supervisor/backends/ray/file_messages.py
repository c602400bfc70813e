"""Messages that carry a run's data from the client by way of the driver to a node."""

from __future__ import annotations

from postertui.supervisor.backends.ray.message_base import Message


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
