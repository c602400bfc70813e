"""Lines of a run's events as they travel between machines: never changed, only compared.

(attempt, seq) grows from line to line within a run, so of two versions of a history each side can
see which one extends the other, and a line that arrives twice is recognised.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from postertui.runs.lifecycle import is_closing


class EventHeader(msgspec.Struct, frozen=True):
    """What identifies an event. `time` distinguishes attempts that have the same number."""

    attempt: int
    seq: int
    time: float = 0.0
    event: str = ""
    status: str | None = None
    epoch: int | None = None
    checkpoint: bool = False

    @property
    def position(self) -> tuple[int, int]:
        """Attempt and sequence number, which grow from line to line of one run."""
        return self.attempt, self.seq

    @property
    def identity(self) -> tuple[int, int, float]:
        return self.attempt, self.seq, self.time

    @property
    def is_end(self) -> bool:
        """Whether the run is closed by this event."""
        return is_closing(self.event, self.status)


class EventLine(NamedTuple):
    """One line of events, newline included, and its header."""

    header: EventHeader
    text: bytes


_decode_header = msgspec.json.Decoder(EventHeader).decode


def parse_lines(data: bytes) -> list[EventLine]:
    """The complete lines in `data`; what follows the last newline is dropped.

    Raises
    ------
    ValueError
        For a line that is not an event.
    """
    try:
        return [
            EventLine(_decode_header(text), text)
            for text in data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        ]
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an event: {error}") from None


def newer_lines(newest: EventLine | None, lines: list[EventLine]) -> list[EventLine]:
    """Those of `lines`, in order, that come after `newest` and after each other."""
    position = newest.header.position if newest else (-1, -1)
    newer = []
    for line in lines:
        if line.header.position > position:
            newer.append(line)
            position = line.header.position
    return newer


def extends(longer: list[EventLine], shorter: list[EventLine]) -> bool:
    """Whether `longer` begins with all of `shorter`."""
    return len(longer) >= len(shorter) and all(
        a.header.identity == b.header.identity for a, b in zip(longer, shorter, strict=False)
    )


def join_lines(lines: list[EventLine]) -> bytes:
    """The text of the lines."""
    return b"".join(line.text for line in lines)
