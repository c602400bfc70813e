"""How far two runs of one and the same setting end apart.

No lead means anything without it. Seeds of a setting show it; where every variant has one run,
variants that train the same network under two names do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from statistics import fmean
from typing import Literal

import numpy as np
import polars as pl

from postertui.analysis.statistics import Floats
from postertui.analysis.variances import VarianceTable, moderate_table
from postertui.published.naming import REGULARIZER_FAMILIES

#: Families that are another one under another name as long as their learning rate never moves:
#: 2017's ReduceLROnPlateau had the learning rate itself as the least rate and could never fire.
_IDLE_FAMILIES = {
    "Reduce LR on Plateau": "base",
    "100 epochs Reduce LR on Plateau": "base",
}
_NO_REGULARIZER = {"NoReg", "L1=0", "L1=0e", "L2=0", "L2=0e"}

#: Fewer degrees of freedom in a whole table say nothing about its noise.
MIN_NOISE_DF = 3.0

NoiseSource = Literal["replicates", "known-equal variants", "none"]


@dataclass(frozen=True)
class Noise:
    """The spread of a run's metric around its setting's mean.

    Attributes
    ----------
    sd, df
        One run's standard deviation, pooled over all settings, and its degrees of freedom.
    settings
        What it was taken from, where that was not seeds.
    variances
        Moderated variances, variants down and genres across, in the order of `names` and
        `genres`. From known-equal variants there is one row, for all variants alike.
    """

    source: NoiseSource
    sd: float = math.nan
    df: float = 0.0
    settings: tuple[str, ...] = ()
    variances: VarianceTable | None = None
    names: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.source != "none"

    def variance(self, genre: str, name: str) -> tuple[float, float]:
        """One run's moderated variance in a setting, and its degrees of freedom.

        NaN and 0 where neither the setting nor its variant and genre have enough samples.
        """
        if self.variances is None or genre not in self.genres:
            return math.nan, 0.0
        column = self.genres.index(genre)
        row = self.names.index(name) if name in self.names else 0
        variance, df = self.variances.moderated(row, column)
        return variance, min(df, self.df)

    def own(self, genre: str, name: str) -> tuple[float, float]:
        """The setting's own sample variance and its degrees of freedom; 0 without replicates."""
        if self.variances is None or genre not in self.genres or name not in self.names:
            return math.nan, 0.0
        place = self.names.index(name), self.genres.index(genre)
        return float(self.variances.own[place]), float(self.variances.own_df[place])

    @property
    def line(self) -> str:
        """The noise in one sentence."""
        if not self.is_known:
            return (
                "Noise: unknown. No setting has enough runs that differ; train more seeds "
                "(--seeds 3)."
            )
        what = (
            "seeds of the same setting"
            if self.source == "replicates"
            else f"settings that are the same under two names ({'; '.join(self.settings)})"
        )
        return (
            f"Noise: {self.sd:.4f} a run, so {math.sqrt(2) * self.sd:.4f} between two runs "
            f"(sd, {self.df:.0f} degrees of freedom), from {what}."
        )


def find_equal_variants(table: pl.DataFrame) -> dict[str, str]:
    """Variants that train the same network under two names.

    Derived from family, Regularizer, sizes, batch size and learning rate alone: λ = 0 is no
    regularizer, and a plateau schedule whose rate never moved is none.

    Returns
    -------
    dict
        By a variant's name the name of the first that is the same.
    """
    moved = (
        (pl.col("learning_rate").max() != pl.col("learning_rate").min())
        if "learning_rate" in table.columns
        else pl.lit(None, dtype=pl.Boolean)
    )
    batch = pl.col("batch_size").first() if "batch_size" in table.columns else pl.lit(None)
    runs = table.group_by("run", maintain_order=True).agg(
        pl.first("name", "variant", "Regularizer", "FC1", "FC2"),
        moved=moved.fill_null(False),
        batch=batch,
    )
    variants = runs.group_by("name", maintain_order=True).agg(
        pl.first("variant", "Regularizer", "FC1", "FC2", "batch"), pl.col("moved").any()
    )
    # A plain name goes before an alias: `base` before `reduce-lr`, `no-reg` before `l1-0`.
    variants = variants.with_columns(
        alias=pl.col("variant").is_in(list(_IDLE_FAMILIES))
        | (pl.col("Regularizer") != "NoReg") & pl.col("Regularizer").is_in(list(_NO_REGULARIZER))
    ).sort("alias", maintain_order=True)
    first: dict[tuple[object, ...], str] = {}
    equal = {}
    for row in variants.iter_rows(named=True):
        family, regularizer = row["variant"], row["Regularizer"]
        if not row["moved"]:
            family = _IDLE_FAMILIES.get(family, family)
        if regularizer in _NO_REGULARIZER and family in REGULARIZER_FAMILIES:
            family, regularizer = "regularizer", "NoReg"
        key = (family, regularizer, row["FC1"], row["FC2"], row["batch"])
        equal[row["name"]] = first.setdefault(key, row["name"])
    return equal


def estimate_noise(values: pl.DataFrame, equal: Mapping[str, str]) -> Noise:
    """The noise of a run.

    Parameters
    ----------
    values
        `run_values` of one whole table.
    equal
        `find_equal_variants` of the same table.

    Returns
    -------
    Noise
        Its source is `none` where there are no replicates.

    Notes
    -----
    Replicates (two runs or more of one variant and genre) go first; where they give fewer than
    `MIN_NOISE_DF` degrees of freedom, variants that are the same under two names count as
    replicates of each other. Runs that have collapsed to one answer for all posters are no
    replicates of each other, nor are runs with the very same numbers.
    """
    informative = replicable(values)
    names = tuple(sorted(set(values["name"].to_list())))
    genres = tuple(sorted(set(values["genre"].to_list())))
    own, own_df = sample_variances(informative, names, genres)
    if own_df.sum() >= MIN_NOISE_DF:
        return _noise("replicates", own, own_df, (), names, genres)
    aliased = informative.with_columns(setting=pl.col("name").replace(equal))
    aliased = aliased.unique(["setting", "genre", "value"], keep="first", maintain_order=True)
    aliased = aliased.filter(pl.col("name").n_unique().over("setting", "genre") > 1)
    ss, dfs = _sums(aliased, ["setting", "genre"], genres)
    if dfs.sum() > 0:
        pooled = np.divide(ss, dfs, out=np.zeros_like(ss), where=dfs > 0)
        settings = _describe_aliases(aliased)
        return _noise("known-equal variants", pooled[None], dfs[None], settings, (), genres)
    return Noise("none")


def replicable(values: pl.DataFrame) -> pl.DataFrame:
    """The runs whose spread is noise: with a value, and without settings that all collapsed.

    A setting whose runs all give one answer for all posters reaches the same F each time.
    """
    ok = values.filter(pl.col("state") == "ok")
    if "collapsed" not in ok.columns or not ok["collapsed"].any():
        return ok
    return ok.filter(~pl.col("collapsed").all().over("name", "genre"))


def sample_variances(
    values: pl.DataFrame, names: tuple[str, ...], genres: tuple[str, ...]
) -> tuple[Floats, Floats]:
    """Variances of the runs of each setting and their degrees of freedom, (variants, genres).

    Around the means of their folds: that posters of other cohorts are harder is no noise of runs.
    """
    by_fold: dict[tuple[str, str], dict[str, list[float]]] = {}
    for name, genre, fold, value in values.select("name", "genre", "fold", "value").iter_rows():
        by_fold.setdefault((name, genre), {}).setdefault(fold, []).append(value)
    variances = np.zeros((len(names), len(genres)))
    dfs = np.zeros_like(variances)
    rows = {name: i for i, name in enumerate(names)}
    columns = {genre: i for i, genre in enumerate(genres)}
    for (name, genre), folds in by_fold.items():
        df = sum(len(own) - 1 for own in folds.values())
        if df:
            squares = sum(fsum((v - fmean(own)) ** 2 for v in own) for own in folds.values())
            place = rows[name], columns[genre]
            variances[place], dfs[place] = squares / df, df
    return variances, dfs


def _sums(values: pl.DataFrame, keys: list[str], genres: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Sums of squares around the means of `keys`, and degrees of freedom, by genre."""
    # In a steady order, so that sums are the same to the last digit each time.
    groups = values.group_by(keys, maintain_order=True).agg(
        ss=((pl.col("value") - pl.col("value").mean()) ** 2).sum(), df=pl.len() - 1.0
    )
    sums = dict.fromkeys(genres, (0.0, 0.0))
    by_genre = groups.group_by("genre", maintain_order=True).agg(pl.sum("ss", "df"))
    for genre, ss, df in by_genre.iter_rows():
        sums[genre] = (ss, df)
    both = np.array(list(sums.values()), dtype=float).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _noise(
    source: NoiseSource,
    own: Floats,
    own_df: Floats,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    genres: tuple[str, ...],
) -> Noise:
    df = float(own_df.sum())
    sd = math.sqrt(float((own * own_df).sum()) / df)
    return Noise(source, sd, df, settings, moderate_table(own, own_df), names, genres)


def _describe_aliases(aliased: pl.DataFrame) -> tuple[str, ...]:
    """Each group of equal variants with the spread between them: `a = b: 0.0100`."""
    groups = aliased.group_by("setting").agg(pl.col("name").unique().sort()).sort("setting")
    lines = []
    for setting, members in groups.filter(pl.col("name").list.len() > 1).iter_rows():
        own = aliased.filter(pl.col("setting") == setting)
        genres = tuple(own["genre"].unique(maintain_order=True))
        ss, dfs = _sums(own, ["setting", "genre"], genres)
        if not dfs.sum():
            continue  # no genre has both, so they say nothing about noise
        lines.append(f"{' = '.join(members)}: {math.sqrt(ss.sum() / dfs.sum()):.4f}")
    return tuple(lines)
