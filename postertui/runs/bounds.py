"""The bounds of numbers and texts in a run's files, as types that `msgspec` checks."""

from __future__ import annotations

from typing import Annotated

import msgspec

#: The format of `run.json` and of events that this version writes.
FORMAT_VERSION = 1

#: The largest magnitude of a number; its square is still finite.
MAX_NUMBER = 1e100

#: The end of the year 9999, in seconds since 1970.
MAX_TIME = 253_402_300_799.0

#: More epochs than any run has; metrics and memory grow with the epochs that are there.
MAX_EPOCHS = 10_000_000

MAX_TEXT = 100_000

#: The largest integer that a column of floats holds exactly.
MAX_COUNT = 1 << 53

Number = Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Time = Annotated[float, msgspec.Meta(ge=0, le=MAX_TIME)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
WholeNumber = Annotated[float, msgspec.Meta(ge=0, le=MAX_COUNT)]
EpochNumber = Annotated[int, msgspec.Meta(ge=1, le=MAX_EPOCHS)]
AttemptNumber = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
