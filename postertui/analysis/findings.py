"""What can be wrong with a run, and its wording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

FindingKind = Literal[
    "dead",
    "always-yes",
    "always-no",
    "empty batches",
    "diverging",
    "overfitting",
    "improving",
]

#: Worst first.
KINDS: tuple[FindingKind, ...] = (
    "dead",
    "always-yes",
    "always-no",
    "diverging",
    "empty batches",
    "overfitting",
    "improving",
)

FINDING_SCHEMA = {
    "run": pl.String,
    "name": pl.String,
    "genre": pl.String,
    "seed": pl.Int64,
    "kind": pl.String,
    "since_epoch": pl.Int64,
    "line": pl.String,
    "advice": pl.String,
}


@dataclass(frozen=True)
class RunFinding:
    """One thing that is wrong with a run, since `since_epoch`.

    `line` explains it and `advice` says what to try, in one sentence each.
    """

    kind: FindingKind
    since_epoch: int
    line: str
    advice: str
