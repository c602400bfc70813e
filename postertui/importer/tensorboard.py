"""TensorBoard's event files: the scalars of each run in a folder.

Records are framed as TFRecords (length, CRC, data, CRC); their content is protocol buffers, for
which the `tensorboard` package is needed. TensorFlow is not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from postertui.history.metric_names import split_side
from postertui.importer.foreign import ForeignHistory
from postertui.importer.metrics_table import history_of_series
from postertui.published.unreadable import UnreadableLogError
from postertui.system.errors import UserError

#: A longer record is no scalar's; images and graphs may be.
_MAX_RECORD = 64 << 20

#: Folders that Keras and others write for a cohort of one run.
_COHORT_FOLDERS = ("train", "training", "val", "valid", "validation", "eval", "test")

Series = dict[str, dict[int, float]]


def is_event_file(name: str) -> bool:
    """Whether a file is called as TensorBoard's are."""
    return ".tfevents." in name


def read_event_files(files: Iterable[Path], root: Path) -> list[ForeignHistory]:
    """The runs in event files below `root`; a folder is a run, but `train/` and `validation/` one.

    Raises `UnreadableLogError` where a file is none, and `UserError` without `tensorboard`.
    """
    runs: dict[Path, Series] = {}
    for file in sorted(files):
        folder, prefix = file.parent, ""
        if folder.name.lower() in _COHORT_FOLDERS and folder != root:
            folder, prefix = folder.parent, f"{folder.name.lower()}_"
        series = runs.setdefault(folder, {})
        for tag, step, value in _scalars(file):
            name = f"{prefix}{tag}" if prefix and not split_side(tag)[0] else tag
            series.setdefault(name, {})[step] = value
    histories = []
    for folder, series in runs.items():
        by_epoch = {n: s for n, s in series.items() if "epoch_" in n} or series
        if "epoch" in by_epoch:
            by_epoch = _at_epochs(by_epoch)
        if by_epoch:
            variant = None if folder == root else folder.relative_to(root).as_posix()
            history = history_of_series(folder, by_epoch, variant)
            histories.append(history)
    return histories


def _at_epochs(series: Series) -> Series:
    """Values by epoch, where a scalar `epoch` says which epoch a step is of (Lightning)."""
    epochs = {step: int(value) for step, value in series["epoch"].items() if value >= 0}
    return {
        name: {epochs[step]: value for step, value in sorted(points.items()) if step in epochs}
        for name, points in series.items()
        if name != "epoch"
    }


def _scalars(file: Path) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value of each scalar in the file, a torn last record left out."""
    try:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util import tensor_util
    except ImportError:
        raise UserError(
            f"{file}: TensorBoard's files need the tensorboard package: "
            "pip install 'postertui[tensorboard]'"
        ) from None
    for record in _records(file):
        event = event_pb2.Event()
        try:
            event.ParseFromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield value.tag, event.step, float(value.simple_value)
                elif value.HasField("tensor") and value.metadata.plugin_data.plugin_name in (
                    "", "scalars",
                ):  # fmt: skip
                    array = tensor_util.make_ndarray(value.tensor)
                    if array.size == 1 and array.dtype.kind in "fiub":
                        yield value.tag, event.step, float(array.reshape(()))
        except Exception as error:  # protobuf raises types of its own, make_ndarray any
            reason = " ".join(str(error).split())[:100]
            raise UnreadableLogError(f"a damaged event file ({reason})") from None


def _records(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file. Raises `UnreadableLogError` where a checksum is wrong."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableLogError(error.strerror or str(error)) from None
    offset = 0
    while offset + 12 <= len(data):
        (length, length_crc) = struct.unpack_from("<QI", data, offset)
        if masked_crc32c(data[offset : offset + 8]) != length_crc or length > _MAX_RECORD:
            raise UnreadableLogError(f"a damaged event file (record at byte {offset})")
        start, end = offset + 12, offset + 12 + length
        if end + 4 > len(data):
            return
        record = data[start:end]
        if masked_crc32c(record) != struct.unpack_from("<I", data, end)[0]:
            raise UnreadableLogError(f"a damaged event file (record at byte {offset})")
        yield record
        offset = end + 4


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecords, as the `tensorboard` package computes it."""
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

    crc: Any = pywrap_tensorflow.masked_crc32c(data)
    return int(crc)
