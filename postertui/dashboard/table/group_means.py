"""Means of the table's groups, of like with like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postertui.dashboard.number_format import compact, score
from postertui.dashboard.state.summary import StudySummary
from postertui.system.text import pluralize


@dataclass(frozen=True)
class GroupMean:
    """A group's `mean`, over how many of what, and how."""

    mean: float
    count: int
    noun: str
    how: str
    is_score: bool = True

    @property
    def short(self) -> str:
        """`F .214, 10 genres`."""
        value = f"F {score(self.mean)}" if self.is_score else compact(self.mean)
        return f"{value}, {pluralize(self.count, self.noun)}"

    def __str__(self) -> str:
        return f"{self.short}, {self.how}"


def group_means(summary: StudySummary, group: str) -> dict[str, GroupMean]:
    """By title the means of the groups by `group`, at the summary's epoch.

    A variant's is adjusted for the genres that it lacks, as in the leaderboard; a genre's is over
    the variants that all genres have.
    """
    is_score = "fscore" in summary.metric
    if group == "variant":
        return {
            variant: GroupMean(mean, genres, "genre", "adjusted", is_score)
            for variant, (mean, genres) in summary.adjusted.items()
        }
    by_genre: dict[str, dict[str, float]] = {}
    for (genre, variant), value in summary.values.items():
        by_genre.setdefault(genre, {})[variant] = value
    common = _common(by_genre)
    return {
        genre: GroupMean(
            sum(values[v] for v in common) / len(common),
            len(common),
            "variant",
            "those that all genres have",
            is_score,
        )
        for genre, values in by_genre.items()
        if common
    }


def _common(by_genre: Mapping[str, Mapping[str, float]]) -> list[str]:
    sets = [set(values) for values in by_genre.values()]
    return sorted(set.intersection(*sets)) if sets else []
