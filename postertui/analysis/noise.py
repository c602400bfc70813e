"""How far two runs of one and the same setting end apart.

Without that, no lead means anything. Seeds of one variant tell it; where every variant has one
run, variants that train the same network under two names do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from postertui.analysis.statistics import moderate, squeeze_variances

#: Families that are another one under another name as long as their learning rate never moves:
#: 2017's ReduceLROnPlateau had the learning rate itself as the least rate and could never fire.
_IDLE_FAMILIES = {
    "Reduce LR on Plateau": "base",
    "100 epochs Reduce LR on Plateau": "base",
}
_REGULARIZERS = ("regularizer", "regularizer L1", "regularizer L2")
_NO_REGULARIZER = {"NoReg", "L1=0", "L1=0e", "L2=0", "L2=0e"}

#: Fewer degrees of freedom than this say nothing about a spread.
ENOUGH_DF = 3

NoiseSource = Literal["replicates", "known-equal variants", "none"]


@dataclass(frozen=True)
class Noise:
    """The spread of a run's metric around its setting's mean.

    `sd` is one run's standard deviation, pooled over genres with `df` degrees of freedom. The
    spread differs between genres, and few runs tell each: `by_genre` holds genre → (variance,
    df), and `variance` draws a genre's own towards `prior` (see `squeeze_variances`). `settings`
    names what it was taken from.
    """

    source: NoiseSource
    sd: float = math.nan
    df: float = 0.0
    prior: float = math.nan
    prior_df: float = 0.0
    by_genre: dict[str, tuple[float, float]] = field(default_factory=dict)
    settings: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.source != "none"

    def variance(self, genre: str) -> tuple[float, float]:
        """One run's variance in `genre` and its degrees of freedom.

        Raises `ValueError` where the noise is unknown.
        """
        if not self.is_known:
            raise ValueError("the noise is unknown")
        if self.prior_df == 0:
            return self.sd**2, self.df
        own = self.by_genre.get(genre, (0.0, 0.0))
        variance, df = moderate(*own, self.prior, self.prior_df)
        return variance, min(df, self.df)

    @property
    def line(self) -> str:
        """The noise in one sentence."""
        if not self.is_known:
            return "Noise: unknown. No setting was trained twice; train more seeds (--seeds 3)."
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
    """Variant name to the name of the first variant that trains the same network.

    Told from family, Regularizer, sizes, batch size and learning rate alone: λ = 0 is no
    regularizer, and a plateau schedule whose rate never moved is none.
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
        if regularizer in _NO_REGULARIZER and family in _REGULARIZERS:
            family, regularizer = "regularizer", "NoReg"
        key = (family, regularizer, row["FC1"], row["FC2"], row["batch"])
        equal[row["name"]] = first.setdefault(key, row["name"])
    return equal


def estimate_noise(values: pl.DataFrame, equal: dict[str, str]) -> Noise:
    """The noise of a run, from `run_values` and `find_equal_variants` of one table.

    Replicates (two runs or more of one variant and genre) go first; where they give fewer than
    three degrees of freedom, variants that are the same under two names count as replicates of
    each other. `none` where neither exists.
    """
    ok = values.filter(pl.col("state") == "ok")
    replicates = within_settings(values)
    if sum(df for _, df in replicates.values()) >= ENOUGH_DF:
        return _noise("replicates", replicates, ())
    aliased = ok.with_columns(setting=pl.col("name").replace(equal))
    twins = _within(aliased, ["setting", "genre"])
    if twins:
        return _noise("known-equal variants", twins, _twin_names(aliased))
    return Noise("none")


def within_settings(values: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Genre to (variance, df) of the runs around the means of their (variant, genre)."""
    return _within(values.filter(pl.col("state") == "ok"), ["name", "genre"])


def _within(ok: pl.DataFrame, keys: list[str]) -> dict[str, tuple[float, float]]:
    """Genre to (variance, df) of the runs around the means of their `keys`."""
    groups = ok.group_by(keys).agg(
        ss=((pl.col("value") - pl.col("value").mean()) ** 2).sum(), df=pl.len() - 1.0
    )
    genres = groups.filter(pl.col("df") > 0).group_by("genre").agg(pl.sum("ss", "df"))
    return {g: (ss / df, df) for g, ss, df in genres.sort("genre").iter_rows()}


def _noise(
    source: NoiseSource, by_genre: dict[str, tuple[float, float]], names: tuple[str, ...]
) -> Noise:
    variances, dfs = np.array(list(by_genre.values()), dtype=float).T
    df = float(dfs.sum())
    prior, prior_df = squeeze_variances(variances, dfs)
    sd = math.sqrt(float((variances * dfs).sum()) / df)
    return Noise(source, sd, df, prior, prior_df, by_genre, names)


def _twin_names(aliased: pl.DataFrame) -> tuple[str, ...]:
    groups = aliased.group_by("setting").agg(pl.col("name").unique().sort()).sort("setting")
    twins = groups.filter(pl.col("name").list.len() > 1)
    names = []
    for setting, members in twins.iter_rows():
        own = _within(aliased.filter(pl.col("setting") == setting), ["setting", "genre"])
        if not (df := sum(d for _, d in own.values())):
            continue  # no genre has both, so they say nothing about noise
        sd = math.sqrt(sum(v * d for v, d in own.values()) / df)
        names.append(f"{' = '.join(members)}: {sd:.4f}")
    return tuple(names)
