"""The leaderboard as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from postertui.analysis.leaderboard import Leaderboard, lead_line
from postertui.analysis.tables.section import Column, Section, interval, number, text


def leaderboard_sections(board: Leaderboard, top: int | None = None) -> list[Section]:
    """The overall ranking and the ranking of each genre."""
    genres = board.genres if top is None else board.genres.filter(pl.col("rank") <= top)
    order = [
        Column("rank", text("rank"), right=True),
        Column("best", lambda row: "*" if row["best"] else ""),
        Column("variant", text("name")),
    ]
    certainty = [
        Column("95 % interval", interval("low", "high", sign=False), right=True),
        Column("behind", number("behind"), right=True),
    ]
    return [
        Section(
            "overall",
            f"Overall: {board.metric}, mean over genres, adjusted for those a variant lacks",
            board.overall,
            [
                *order,
                Column("mean", number("mean"), right=True),
                *certainty,
                Column("genres", text("genres"), right=True),
            ],
            [note for note in (*board.notes, *_star_note(board), lead_line(board)) if note],
        ),
        Section(
            "genres",
            f"Genre by genre: {board.metric}",
            genres,
            [
                Column("genre", text("genre")),
                *order,
                Column("mean ± sd", _mean_and_sd, right=True),
                *certainty,
            ],
        ),
    ]


def _star_note(board: Leaderboard) -> list[str]:
    has_star = board.overall["best"].any() or board.genres["best"].any()
    return ["* the best, or not distinguishable from it."] if has_star else []


def _mean_and_sd(row: Mapping[str, Any]) -> str:
    return mean_and_sd(row["mean"], row["sd"], row["n"], digits=4)


def mean_and_sd(mean: float | None, sd: float | None, n: int, digits: int = 3) -> str:
    """`.385 ± .004 (n = 5)` for a table; the mean alone for a single run; `n/a` for none."""
    if mean is None or n == 0:
        return "n/a"
    if sd is None or n < 2:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {sd:.{digits}f} (n = {n})"
