"""Connections: frames over TCP, after each side has proved that it knows the token.

A frame is the lengths of its two parts (4 bytes each, big-endian), a message as JSON and a blob.
First each side answers the other's random challenge with an HMAC of it; the token itself is never
sent. Like Ray's own traffic it is not encrypted: use a private network or an SSH tunnel.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

import msgspec

from postertui.supervisor.backends.ray.messages import AnyMessage

_LENGTHS = struct.Struct(">II")
_NONCE = 32
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)

#: Seconds for either side to prove that it knows the token.
HANDSHAKE_SECONDS = 20.0

#: Longer messages and blobs than this, in bytes, are refused.
MAX_LENGTH = 1 << 28

Frame = tuple[AnyMessage, bytes]
Deliver = Callable[[Frame | None], None]


def link_key(token: str) -> bytes:
    """The key of the connections, derived from the token, which itself is used only for Ray."""
    return hmac.digest(token.strip().encode(), b"postertui cluster", "sha256")


def pack(message: AnyMessage, blob: bytes = b"") -> bytes:
    """The frame that carries a message."""
    head = _encoder.encode(message)
    return b"".join((_LENGTHS.pack(len(head), len(blob)), head, blob))


def _proof(key: bytes, side: bytes, theirs: bytes, ours: bytes) -> bytes:
    return hmac.digest(key, side + theirs + ours, "sha256")


def _lengths(data: bytes) -> tuple[int, int]:
    head, blob = _LENGTHS.unpack(data)
    if head > MAX_LENGTH or blob > MAX_LENGTH:
        raise ConnectionError("a frame that is too long")
    return head, blob


def _message(head: bytes) -> AnyMessage:
    try:
        return _decoder.decode(head)
    except msgspec.MsgspecError as error:
        raise ConnectionError(f"not a message: {error}") from None


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> bool:
    """The listening side's handshake; False where the caller does not know the token."""
    nonce = os.urandom(_NONCE)
    writer.write(nonce)
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            answer = await reader.readexactly(2 * _NONCE)
    except (OSError, EOFError, TimeoutError):
        return False
    theirs, proof = answer[:_NONCE], answer[_NONCE:]
    if not hmac.compare_digest(proof, _proof(key, b"caller", nonce, theirs)):
        return False
    writer.write(_proof(key, b"listener", nonce, theirs))
    return True


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises `OSError` or `EOFError` where the connection ends."""
    head, blob = _lengths(await reader.readexactly(_LENGTHS.size))
    message = _message(await reader.readexactly(head))
    return message, await reader.readexactly(blob)


class Link:
    """The calling side of a connection: receives in a thread of its own."""

    def __init__(self, sock: socket.socket, deliver: Deliver | None = None) -> None:
        self._socket = sock
        self._sending = threading.Lock()
        self._received: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._deliver = deliver or self._received.put
        self.is_open = True
        threading.Thread(target=self._listen, name="link", daemon=True).start()

    @classmethod
    def connect(cls, host: str, port: int, key: bytes, deliver: Deliver | None = None) -> Self:
        """Connect to a driver. Raises `OSError`, `PermissionError` for another token.

        With `deliver`, frames go there, and at last None, instead of to `receive`.
        """
        sock = socket.create_connection((host, port), timeout=HANDSHAKE_SECONDS)
        try:
            nonce, ours = _read(sock, _NONCE), os.urandom(_NONCE)
            sock.sendall(ours + _proof(key, b"caller", nonce, ours))
            try:
                proof = _read(sock, _NONCE)
            except ConnectionError:
                raise PermissionError("the driver has another token") from None
            if not hmac.compare_digest(proof, _proof(key, b"listener", nonce, ours)):
                raise PermissionError("not a driver with our token")
            sock.settimeout(None)
            # A machine that slept notices the end of a connection only by probing it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Milliseconds that sent data may stay unacknowledged until the connection is dropped.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
        except BaseException:
            sock.close()
            raise
        return cls(sock, deliver)

    def send(self, message: AnyMessage, blob: bytes = b"") -> None:
        """Send; dropped where the connection has ended, which `receive` reports."""
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(pack(message, blob))

    def receive(self, timeout: float | None = 0.0) -> Frame | None:
        """The next frame; None after `timeout` seconds, or once the connection has ended."""
        try:
            frame = self._received.get(timeout=timeout) if timeout else self._received.get_nowait()
        except queue.Empty:
            return None
        if frame is None:
            self.is_open = False
        return frame

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                head, blob = _lengths(_read(self._socket, _LENGTHS.size))
                message = _message(_read(self._socket, head))
                self._deliver((message, _read(self._socket, blob)))
        self._deliver(None)


def _read(sock: socket.socket, size: int) -> bytes:
    chunks = []
    while size:
        chunk = sock.recv(min(size, 1 << 20))
        if not chunk:
            raise ConnectionError("the connection has ended")
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
