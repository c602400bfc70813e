"""A run's events: appended whole or not at all, and read back without trusting the tail.

One JSON object a line:

    {"v":1,"seq":0,"attempt":1,"time":…,"event":"start"|"epoch"|"end"|…, …}

Kinds: `start` (who trains, from which epoch), `features` (progress before the first epoch),
`epoch` (one row of the history table, metrics that it has no column for in `extra`), `end` (status
and reason), `requeue` (the run is asked for again). A reader ignores kinds and fields that it does
not know. NaN and infinities, which JSON lacks, and numbers beyond 1e100 are null, with their names
in `nonfinite`.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from postertui.runs.bounds import FORMAT_VERSION, MAX_NUMBER
from postertui.runs.validation import check_event
from postertui.system.regular_files import open_regular
from postertui.system.text import describe_error

Event = dict[str, Any]

#: A longer line is not an event, however much of it there is.
MAX_LINE_BYTES = 1 << 20

TOO_LONG = f"longer than {MAX_LINE_BYTES:,} bytes"

#: How much of an events file is read at a time.
CHUNK_BYTES = 8 << 20

_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode


class DamagedEventsError(Exception):
    """A complete line of an events file is not an event.

    Parameters
    ----------
    line
        Its number, from 1.
    reason
        What is wrong with it.
    """

    #: Whether the line was written by a newer version, which may know better.
    is_newer = False

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class NewerEventsError(DamagedEventsError):
    """A line was written by a newer version of postertui; `line` counts from 1."""

    is_newer = True


def encode_event(
    seq: int, attempt: int, event: str, fields: Mapping[str, Any], when: float
) -> bytes:
    """One line of an events file, newline included.

    Parameters
    ----------
    seq
        The event's number in the file, from 0.
    attempt
        The attempt's number, from 1.
    event
        The kind: `start`, `epoch`, `end`, …
    fields
        The rest; NaN and numbers out of range become null, with their names in `nonfinite`.
    when
        In seconds since 1970.
    """
    record: Event = {"v": FORMAT_VERSION, "seq": seq, "attempt": attempt, "time": when}
    record["event"] = event
    nonfinite = [
        name
        for name, value in fields.items()
        if isinstance(value, float) and not abs(value) <= MAX_NUMBER
    ]
    record.update(fields)
    if nonfinite:
        record.update(dict.fromkeys(nonfinite))
        record["nonfinite"] = nonfinite
    return _encode(record) + b"\n"


def parse_events(data: bytes, first_line: int = 1) -> tuple[list[Event], int]:
    """The events in a part of an events file.

    Parameters
    ----------
    first_line
        The number, from 1, of the line that `data` begins with.

    Returns
    -------
    tuple of list and int
        The events, and how many bytes they take; a torn last line is left for later.

    Raises
    ------
    DamagedEventsError
        Where a complete line is not an event.
    """
    end = data.rfind(b"\n") + 1
    if len(data) - end > MAX_LINE_BYTES:
        raise DamagedEventsError(first_line + data.count(b"\n"), TOO_LONG)
    lines = data[:end].split(b"\n")[:-1]
    return [parse_event(line, number) for number, line in enumerate(lines, first_line)], end


def parse_event(line: bytes, number: int) -> Event:
    """The event that one line holds, checked against the bounds of `postertui.runs.validation`.

    Raises `DamagedEventsError` for line `number`, or `NewerEventsError` where the line says that a
    newer version wrote it.
    """
    if len(line) > MAX_LINE_BYTES:
        raise DamagedEventsError(number, TOO_LONG)
    try:
        event = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedEventsError(number, describe_error(error)) from None
    try:
        check_event(event)
    except (msgspec.MsgspecError, ValueError) as error:
        if is_newer_format(event):
            reason = f"made by a newer version: {describe_error(error)}"
            raise NewerEventsError(number, reason) from None
        raise DamagedEventsError(number, describe_error(error)) from None
    return event


def is_newer_format(event: Event) -> bool:
    """Whether the event says that a newer version wrote it."""
    version = event.get("v")
    return isinstance(version, int) and version > FORMAT_VERSION


class EventWriter:
    """Appends to one run's events; the caller holds the run's lock.

    Each append is a single write followed by fdatasync. A torn tail left by a crash is cut off
    when the file is opened; a short write (a full disk) is cut off at once and raises `OSError`.

    Raises
    ------
    DamagedEventsError
        Where the file has a line that is not an event, or one of a newer version.
    OSError
        Where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            self.events, whole = read_events_from(self._fd)
            newer = next((i for i, e in enumerate(self.events, 1) if is_newer_format(e)), None)
            if newer is not None:
                raise NewerEventsError(newer, "made by a newer version, which has to go on with it")
            if whole < os.fstat(self._fd).st_size:
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


def read_events_from(fd: int) -> tuple[list[Event], int]:
    """All events of an open file, and how many bytes they take.

    Raises `DamagedEventsError` and `OSError`.
    """
    events: list[Event] = []
    size = 0
    os.lseek(fd, 0, os.SEEK_SET)
    rest = b""
    while chunk := os.read(fd, CHUNK_BYTES):
        rest += chunk
        parsed, end = parse_events(rest, len(events) + 1)
        events += parsed
        size += end
        rest = rest[end:]
    return events, size
