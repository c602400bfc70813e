"""An events file's bytes into a run, fast: epochs by the hundred, the rest one by one."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from postertui.runs.epoch_line import EpochLine
from postertui.runs.events import (
    CHUNK_BYTES,
    MAX_LINE_BYTES,
    TOO_LONG,
    DamagedEventsError,
    parse_event,
)
from postertui.runs.store.identity import Reading
from postertui.runs.store.run import Run
from postertui.system.regular_files import open_regular
from postertui.system.text import describe_error

_decode_epoch = msgspec.json.Decoder(EpochLine).decode

#: How `encode_event` writes it; a line that is written otherwise is parsed the slow way.
_EPOCH_MARK = b'"event":"epoch"'


def apply_file(run: Run, path: str, reading: Reading) -> None:
    """Bring `run` and `reading` up to date with what is new in its events file.

    Raises `OSError`, and `DamagedEventsError` at a damaged line; `reading` is as before then.
    """
    size, lines = reading.size, reading.lines
    fd = open_regular(path, os.O_RDONLY)
    try:
        os.lseek(fd, size, os.SEEK_SET)
        rest = b""
        at_once = min(CHUNK_BYTES, reading.identity.events[1] - size + 1)
        while chunk := os.read(fd, at_once):
            rest += chunk
            used, count = apply_lines(run, rest, lines + 1)
            rest = rest[used:]
            size, lines = size + used, lines + count
    finally:
        os.close(fd)
    reading.size, reading.lines = size, lines


def apply_lines(run: Run, data: bytes, first_line: int) -> tuple[int, int]:
    """Bring `run` up to date with `data`; how many bytes and lines of it were whole.

    What comes before a damaged line is applied. Raises `DamagedEventsError` at such a line.
    """
    end = data.rfind(b"\n") + 1
    if len(data) - end > MAX_LINE_BYTES:
        raise DamagedEventsError(first_line + data.count(b"\n"), TOO_LONG)
    lines = data[:end].split(b"\n")
    lines.pop()
    gathered: list[Any] = []
    number = first_line
    try:
        for number, line in enumerate(lines, first_line):
            if _EPOCH_MARK in line[:200] and len(line) <= MAX_LINE_BYTES:
                gathered.append(_decode_epoch(line))
                continue
            event = parse_event(line, number)
            if event["event"] == "epoch":
                gathered.append(msgspec.convert(event, EpochLine, strict=True))
                continue
            _flush(run, gathered)
            run.apply(event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedEventsError(number, describe_error(error)) from None
    finally:
        _flush(run, gathered)
    return end, len(lines)


def _flush(run: Run, gathered: list[Any]) -> None:
    if gathered:
        from postertui.runs.store.columns import extra_of, rows_of

        run.add_epochs(rows_of(gathered), extra_of(gathered))
        gathered.clear()
