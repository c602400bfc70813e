"""TensorBoard's event files: framing of records, and writing a history table as scalars.

A record is its length, a checksum of that, its bytes and a checksum of those (TFRecord). The
content is protocol buffers, for which the `tensorboard` package is needed; TensorFlow is not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from postertui.history.schema import SCHEMA, extra_columns
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.text import slugify

#: A longer record is no scalar's; images and graphs may be.
MAX_RECORD = 64 << 20


class DamagedRecordError(Exception):
    """A record's checksum is wrong; the message says where."""


def load_protocol(wanted_for: str) -> tuple[Any, Any]:
    """The modules `event_pb2` and `tensor_util` of the tensorboard package.

    Parameters
    ----------
    wanted_for
        The file or folder that they are wanted for, in the message.

    Raises
    ------
    UserError
        Where the package is not installed.
    """
    try:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util import tensor_util
    except ImportError:
        raise UserError(
            f"{wanted_for}: TensorBoard's files need the tensorboard package: "
            "pip install 'postertui[tensorboard]'"
        ) from None
    return event_pb2, tensor_util


def split_records(data: bytes) -> Iterator[bytes]:
    """The records in an event file, without a torn last one.

    Raises
    ------
    DamagedRecordError
        Where a checksum is wrong.
    """
    offset = 0
    while offset + 12 <= len(data):
        (length, length_crc) = struct.unpack_from("<QI", data, offset)
        if _masked_crc32c(data[offset : offset + 8]) != length_crc or length > MAX_RECORD:
            raise DamagedRecordError(f"a damaged event file (record at byte {offset})")
        start, end = offset + 12, offset + 12 + length
        if end + 4 > len(data):
            return
        record = data[start:end]
        if _masked_crc32c(record) != struct.unpack_from("<I", data, end)[0]:
            raise DamagedRecordError(f"a damaged event file (record at byte {offset})")
        yield record
        offset = end + 4


def frame_record(record: bytes) -> bytes:
    """A record with its length and checksums."""
    length = struct.pack("<Q", len(record))
    return b"".join(
        (
            length,
            struct.pack("<I", _masked_crc32c(length)),
            record,
            struct.pack("<I", _masked_crc32c(record)),
        )
    )


def write_event_files(table: pl.DataFrame, folder: Path) -> int:
    """Write each run of a history table as an event file in a folder of its name.

    Tags are `<cohort>/<metric>`, steps are epochs; undefined values are left out.

    Returns
    -------
    int
        How many files were written.

    Raises
    ------
    UserError
        Without the tensorboard package, and where the folder cannot be written (exit code 1).
    """
    event_pb2, _ = load_protocol(str(folder))
    metrics = [
        name
        for name, dtype in SCHEMA.items()
        if dtype in (pl.Float64, pl.Int64)
        and (name.startswith(("train_", "val_", "test_")) or name in ("learning_rate", "seconds"))
        and not name.endswith("_base_rate")
        and name in table.columns
    ] + extra_columns(table)
    count = 0
    try:
        for (run,), rows in table.sort("epoch").group_by("run", maintain_order=True):
            target = folder / slugify(str(run))
            target.mkdir(parents=True, exist_ok=True)
            version = event_pb2.Event(wall_time=0.0, file_version="brain.Event:2")
            parts = [frame_record(version.SerializeToString())]
            for row in rows.iter_rows(named=True):
                event = event_pb2.Event(wall_time=0.0, step=row["epoch"])
                for name in metrics:
                    if row[name] is not None:
                        event.summary.value.add(tag=_tag(name), simple_value=row[name])
                parts.append(frame_record(event.SerializeToString()))
            write_atomic(target / "events.out.tfevents.0.postertui", b"".join(parts), private=False)
            count += 1
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"{where}: {error.strerror}", exit_code=1) from None
    return count


def _tag(column: str) -> str:
    cohort, _, metric = column.partition("_")
    return f"{cohort}/{metric}" if cohort in ("train", "val", "test") else column


def _masked_crc32c(data: bytes) -> int:
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

    crc: Any = pywrap_tensorflow.masked_crc32c(data)
    return int(crc)
