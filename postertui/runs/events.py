"""A run's events: appended whole or not at all, and read back without trusting the tail.

One JSON object a line:

    {"v":1,"seq":0,"attempt":1,"time":…,"event":"start"|"epoch"|"end"|…, …}

Kinds: `start` (who trains, from which epoch), `features` (progress before the first epoch),
`epoch` (one row of the history table), `end` (status and reason), `requeue` (the run is asked for
again). A reader passes over kinds and fields it does not know. NaN and infinities, which JSON
lacks, are null, with their names in `nonfinite`.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

FORMAT_VERSION = 1

Event = dict[str, Any]

_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode


class DamagedEventsError(Exception):
    """A complete line of an events file is not an event. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def encode_event(
    seq: int, attempt: int, event: str, fields: Mapping[str, Any], when: float
) -> bytes:
    """One line, newline included; floats that JSON lacks become null and are named."""
    record: Event = {"v": FORMAT_VERSION, "seq": seq, "attempt": attempt, "time": when}
    record["event"] = event
    nonfinite = [k for k, v in fields.items() if isinstance(v, float) and not math.isfinite(v)]
    record.update(fields)
    if nonfinite:
        record.update(dict.fromkeys(nonfinite))
        record["nonfinite"] = nonfinite
    return _encode(record) + b"\n"


def parse_events(data: bytes, first_line: int = 1) -> tuple[list[Event], int]:
    """The events in `data` and how many bytes they take; a torn last line is left for later.

    Raises `DamagedEventsError` where a complete line is not an event.
    """
    end = data.rfind(b"\n") + 1
    events = []
    for number, line in enumerate(data[:end].split(b"\n")[:-1], first_line):
        try:
            event = _decode(line)
            if not isinstance(event["event"], str) or not isinstance(event["attempt"], int):
                raise DamagedEventsError(number, "`event` or `attempt` has the wrong type")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DamagedEventsError(number, str(error)) from None
        except KeyError as error:
            raise DamagedEventsError(number, f"{error.args[0]} is missing") from None
        events.append(event)
    return events, end


class EventWriter:
    """Appends to one run's events; the caller holds the run's lock.

    Each append is a single write followed by fdatasync. A torn tail left by a crash is cut off
    when the file is opened; a short write (a full disk) is cut off at once and raises `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            data = _read_all(self._fd)
            self.events, whole = parse_events(data)
            if whole < len(data):
                os.ftruncate(self._fd, whole)
        except BaseException:
            os.close(self._fd)
            raise
        self.attempt = max((e["attempt"] for e in self.events), default=0)
        self._seq = max((e.get("seq", -1) for e in self.events), default=-1) + 1

    def append(self, event: str, **fields: Any) -> None:
        self._write(encode_event(self._seq, self.attempt, event, fields, time.time()))
        self._seq += 1

    def append_lines(self, lines: bytes, attempt: int, seq: int) -> None:
        """Append whole lines that were written elsewhere; the last is event `seq` of `attempt`."""
        self._write(lines)
        self.attempt, self._seq = attempt, seq + 1

    def _write(self, lines: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, lines)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, size)
            raise

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _read_all(fd: int) -> bytes:
    chunks = []
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)
