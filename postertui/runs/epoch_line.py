"""The fields of an `epoch` event: what they are called and what they may hold."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from postertui.runs.bounds import (
    AttemptNumber,
    EpochNumber,
    Number,
    Seconds,
    Time,
    WholeNumber,
)

_SIDES = ("train", "test")

#: What follows from posters' probabilities: the threshold chosen on validation, and how good they
#: are in either cohort.
SCORES: tuple[str, ...] = (
    "threshold",
    *(
        f"{cohort}_{score}"
        for cohort in ("val", "test")
        for score in ("ap", "auroc", "brier", "precision", "recall", "fscore_threshold")
    ),
)

#: The validation cohort's columns.
VALIDATION: tuple[str, ...] = (
    *(f"val_{m}" for m in ("loss", "accuracy", "fscore", "fscore_soft", "fscore_hard")),
    *(f"val_{cell}" for cell in ("tp", "fp", "fn", "tn")),
    "val_empty_batches",
)

#: The history table's columns that differ from epoch to epoch, as an `epoch` event carries them.
METRICS: tuple[str, ...] = (
    *(f"{side}_{m}" for side in _SIDES for m in ("loss", "accuracy", "fscore")),
    *(f"{side}_fscore_{kind}" for side in _SIDES for kind in ("soft", "hard")),
    *(f"{side}_{cell}" for side in _SIDES for cell in ("tp", "fp", "fn", "tn")),
    "empty_batches",
    "test_empty_batches",
    "learning_rate",
    "seconds",
    "dead",
    *VALIDATION,
    *SCORES,
)

#: What is kept of an epoch, as floats: NaN where it is undefined or was not recorded.
COLUMNS: tuple[str, ...] = ("epoch", "attempt", "time", *METRICS)

#: The place of each in a row.
COLUMN_INDEX = {name: index for index, name in enumerate(COLUMNS)}

#: Which of them are whole numbers, and which are yes or no.
BOOLEANS = {"dead"}
WHOLE = {"epoch", "attempt", "empty_batches", "test_empty_batches", "val_empty_batches"} | {
    f"{side}_{cell}" for side in (*_SIDES, "val") for cell in ("tp", "fp", "fn", "tn")
}

_types: dict[str, Any] = {
    **dict.fromkeys(WHOLE, WholeNumber | None),
    "epoch": EpochNumber,
    "attempt": AttemptNumber,
    "time": Time | None,
    "seconds": Seconds | None,
    "dead": bool | None,
}

#: Metrics beyond `METRICS`, as other programs record them: name to value, None where undefined.
Extra = dict[Annotated[str, msgspec.Meta(max_length=64)], Number | None] | None

#: One `epoch` line, its fields in the order of `COLUMNS`, and `extra`.
EpochLine = msgspec.defstruct(
    "EpochLine",
    [
        (name, _types[name])
        if name in ("epoch", "attempt")
        else (name, _types.get(name, Number | None), None)
        for name in COLUMNS
    ]
    + [("extra", Extra, None)],
    gc=False,
)
