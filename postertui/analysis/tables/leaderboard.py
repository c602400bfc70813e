"""The leaderboard as tables."""

from __future__ import annotations

import polars as pl

from postertui.analysis.leaderboard import lead_summary, leaderboard
from postertui.analysis.tables.section import Column, Section, interval, number, text


def leaderboard_sections(
    table: pl.DataFrame, metric: str, rule: str | int, top: int | None = None
) -> list[Section]:
    """The overall ranking and the ranking of each genre."""

    board = leaderboard(table, metric, rule)
    genres = board.genres if top is None else board.genres.filter(pl.col("rank") <= top)
    shared = [
        Column("rank", text("rank"), right=True),
        Column("best", lambda row: "*" if row["best"] else ""),
        Column("variant", text("name")),
        Column("mean", number("mean"), right=True),
        Column("95 % interval", interval("low", "high", sign=False), right=True),
        Column("behind", number("behind"), right=True),
    ]
    return [
        Section(
            "overall",
            f"Overall: {metric}, mean over genres, adjusted for those a variant lacks",
            board.overall,
            [*shared, Column("genres", text("genres"), right=True)],
            [*board.notes, "* the best, or not to be told from it.", lead_summary(board)],
        ),
        Section(
            "genres",
            f"Genre by genre: {metric}",
            genres,
            [
                Column("genre", text("genre")),
                *shared,
                Column("sd", number("sd"), right=True),
                Column("n", text("n"), right=True),
            ],
        ),
    ]
