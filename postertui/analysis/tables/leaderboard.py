"""The leaderboard as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from postertui.analysis.leaderboard import Leaderboard, lead_line
from postertui.analysis.replicates import mean_and_sd
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
            [*board.notes, "* the best, or not to be told from it.", lead_line(board)],
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


def _mean_and_sd(row: Mapping[str, Any]) -> str:
    return mean_and_sd(row["mean"], row["sd"], row["n"], digits=4)
