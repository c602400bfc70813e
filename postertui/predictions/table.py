"""`predictions.parquet` of a run: its probability for each validation and test poster.

    id int64, cohort uint8, label uint8, probability float32 [, probability_best float32]

One row per poster in the order of the data folder, cohort after cohort. `probability` is that of
the weights after the last epoch; `probability_best` that of the epoch with the best validation
loss, where the run kept it. Copies of the mirrored posters have their poster's id.

The run's `end` event holds `"predictions": {"digest": sha256 of the file, "bytes": …}`; runs of
older versions lack it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, Event
from postertui.runs.lifecycle import read_lifecycle
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import MAX_RESULT_BYTES, read_regular

if TYPE_CHECKING:
    import polars as pl

Probabilities = NDArray[np.float32]

_DTYPES = {"id": np.int64, "cohort": np.uint8, "label": np.uint8, "probability": np.float32}


class PredictionsInfo(msgspec.Struct, frozen=True):
    """The field `predictions` of an `end` event."""

    digest: str
    bytes: int


@dataclass(frozen=True, eq=False)
class Predictions:
    """The rows of one run's `predictions.parquet`, each column (n,)."""

    ids: NDArray[np.int64]
    cohorts: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    probabilities: Probabilities
    best_probabilities: Probabilities | None = None

    def __post_init__(self) -> None:
        shapes = [self.ids.shape, self.cohorts.shape, self.labels.shape, self.probabilities.shape]
        if self.best_probabilities is not None:
            shapes.append(self.best_probabilities.shape)
        if len(set(shapes)) != 1 or self.ids.ndim != 1:
            raise ValueError(f"columns of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.ids)

    def of_cohorts(self, cohorts: Iterable[int]) -> Predictions:
        """The rows of the posters of `cohorts`, in the same order."""
        rows = np.isin(self.cohorts, np.array([*cohorts], np.uint8))
        best = self.best_probabilities
        return Predictions(
            self.ids[rows],
            self.cohorts[rows],
            self.labels[rows],
            self.probabilities[rows],
            None if best is None else best[rows],
        )

    def has_posters_of(self, other: Predictions) -> bool:
        """Whether both are of the same posters in the same order, with the same labels."""
        return (
            np.array_equal(self.ids, other.ids)
            and np.array_equal(self.cohorts, other.cohorts)
            and np.array_equal(self.labels, other.labels)
        )

    def frame(self) -> pl.DataFrame:
        """The rows as the file has them."""
        import polars as pl

        columns = {
            "id": self.ids,
            "cohort": self.cohorts,
            "label": self.labels,
            "probability": self.probabilities,
        }
        if self.best_probabilities is not None:
            columns["probability_best"] = self.best_probabilities
        return pl.DataFrame(columns)


def predictions_path(run_folder: Path) -> Path:
    """The file with the run's predictions, whether it is there or not."""
    return run_folder / layout.PREDICTIONS


def write_predictions(run_folder: Path, predictions: Predictions) -> PredictionsInfo:
    """Write a run's predictions, whole and on the disk or not at all.

    Raises
    ------
    OSError
        Where the folder cannot be written to.
    """
    buffer = io.BytesIO()
    predictions.frame().write_parquet(buffer, compression="zstd")
    data = buffer.getvalue()
    write_atomic(predictions_path(run_folder), data, durable=True)
    return PredictionsInfo(hashlib.sha256(data).hexdigest(), len(data))


def recorded_info(end: Event | None) -> PredictionsInfo | None:
    """What a run's `end` event says of its predictions; None where it says nothing."""
    try:
        return msgspec.convert((end or {}).get("predictions"), PredictionsInfo)
    except msgspec.ValidationError:
        return None


def is_as_recorded(data: bytes, info: PredictionsInfo) -> bool:
    """Whether `data` is the file that the run wrote."""
    return len(data) == info.bytes and hashlib.sha256(data).hexdigest() == info.digest


def read_predictions(run_folder: Path) -> Predictions:
    """A run's predictions.

    Raises
    ------
    UserError
        If there are none (exit code 3: the run is old, imported, or they were pruned), or the file
        is damaged, changed, or of another run.
    """
    import polars as pl

    path = predictions_path(run_folder)
    try:
        data = read_regular(path, MAX_RESULT_BYTES)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no predictions were kept of this run; choose one that has them, or train "
            "it again: `postertui rm` it, then `postertui train`",
            exit_code=3,
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(data) < 12 or data[-4:] != b"PAR1":  # polars' reader would panic, and say so
        raise UserError(f"{path}: not a whole Parquet file; {HOW_TO_RESTORE}")
    # Bits that have flipped can make polars abort the whole process, so they are looked for first.
    info = _read_recorded_info(run_folder)
    if info is not None and not is_as_recorded(data, info):
        raise UserError(
            f"{path}: not the file that the run wrote (its digest differs); {HOW_TO_RESTORE}"
        )
    try:
        return _from_frame(pl.read_parquet(io.BytesIO(data)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a run's predictions ({reason}); {HOW_TO_RESTORE}") from None


def _read_recorded_info(run_folder: Path) -> PredictionsInfo | None:
    """Raises `UserError` where the run's events cannot be read."""
    path = run_folder / layout.EVENTS
    try:
        return recorded_info(read_lifecycle(run_folder).end)
    except DamagedEventsError as error:
        raise UserError(f"{path}: damaged: {error}; see `postertui doctor`") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _from_frame(frame: pl.DataFrame) -> Predictions:
    """Raises `ValueError` for a column that is missing, or has values that none can have."""
    missing = [name for name in _DTYPES if name not in frame.columns]
    if missing:
        raise ValueError(f"no column `{missing[0]}`")
    columns = {}
    for name in [*_DTYPES, "probability_best"]:
        if name not in frame.columns:
            continue
        column = frame[name]
        if not column.dtype.is_numeric() or column.null_count():
            raise ValueError(f"column `{name}` has values that are not numbers")
        columns[name] = column.to_numpy().astype(_DTYPES.get(name, np.float32))
    if columns["label"].max(initial=0) > 1:
        raise ValueError("column `label` has values other than 0 and 1")
    if columns["cohort"].max(initial=0) > 9:
        raise ValueError("column `cohort` has values other than 0 to 9")
    for name in ("probability", "probability_best"):
        p = columns.get(name)
        if p is not None and ((p < 0) | (p > 1)).any():
            raise ValueError(f"column `{name}` has values outside 0 to 1")
    return Predictions(
        columns["id"],
        columns["cohort"],
        columns["label"],
        columns["probability"],
        columns.get("probability_best"),
    )
