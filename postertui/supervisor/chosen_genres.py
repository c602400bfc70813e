"""Which genres of the data a study is trained on."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING

from postertui.study import Study
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


def choose_genres(
    study: Study,
    dataset: Dataset,
    patterns: Sequence[str],
    train_cohorts: tuple[int, ...],
    *,
    all_genres: bool,
) -> tuple[list[str], tuple[str, ...]]:
    """The genres to train, and those left out as too rare in the training cohorts.

    Parameters
    ----------
    study
        Names its genres, or takes all of the data's, but none under its `rarity`.
    dataset
        What is trained on.
    patterns
        Names or globs in place of the study's; what they match is kept however rare.
    train_cohorts
        Where rarity is measured.
    all_genres
        Whether to keep rare ones.

    Raises
    ------
    UserError
        Where a name or pattern matches no genre of the data.
    """
    if patterns:
        matching = [genre for pattern in patterns for genre in _matching(dataset, pattern)]
        return list(dict.fromkeys(matching)), ()
    genres = dataset.genres
    if study.genres is not None:
        for genre in study.genres:
            dataset.genre_index(genre)
        genres = study.genres
    if all_genres:
        return list(genres), ()
    rare = tuple(g for g in genres if dataset.base_rate(g, train_cohorts) < study.rarity)
    return [g for g in genres if g not in rare], rare


def _matching(dataset: Dataset, pattern: str) -> list[str]:
    """The genres that match; at least one, or `UserError`."""
    matching = [g for g in dataset.genres if fnmatch.fnmatchcase(_plain(g), _plain(pattern))]
    if not matching:
        close = difflib.get_close_matches(pattern, dataset.genres, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else ""
        hint = hint or f"there are {', '.join(dataset.genres)}"
        raise UserError(f"{dataset.path}: no genre `{pattern}`; {hint}")
    return matching


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")
