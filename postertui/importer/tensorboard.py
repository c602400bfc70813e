"""TensorBoard's event files: the scalars of each run in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from postertui.history.metric_names import split_side
from postertui.history.tensorboard import DamagedRecordError, load_protocol, split_records
from postertui.importer.foreign import ForeignHistory
from postertui.importer.metrics_table import history_of_series
from postertui.published.unreadable import UnreadableLogError
from postertui.system.text import describe_error

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
            histories.append(history_of_series(folder, by_epoch, variant))
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
    """Tag, step and value of each scalar in the file."""
    event_pb2, tensor_util = load_protocol(str(file))
    try:
        for record in split_records(file.read_bytes()):
            event = event_pb2.Event()
            event.ParseFromString(record)
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                if value.HasField("simple_value"):
                    yield value.tag, event.step, float(value.simple_value)
                elif value.HasField("tensor") and plugin in ("", "scalars"):
                    array = tensor_util.make_ndarray(value.tensor)
                    if array.size == 1 and array.dtype.kind in "fiub":
                        yield value.tag, event.step, float(array.reshape(()))
    except OSError as error:
        raise UnreadableLogError(error.strerror or str(error)) from None
    except DamagedRecordError as error:
        raise UnreadableLogError(str(error)) from None
    except Exception as error:  # protobuf raises types of its own, make_ndarray any
        reason = describe_error(error, 100)
        raise UnreadableLogError(f"a damaged event file ({reason})") from None
