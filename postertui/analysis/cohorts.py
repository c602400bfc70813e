"""The cohorts of a history table: how many posters, what share of them positive.

A table of today carries base rates and confusion counts. One from 2017 carries neither; for its
genres both are in `published.facts`.
"""

from __future__ import annotations

import polars as pl

from postertui.published.facts import BASE_RATES, TEST_POSTERS, TRAIN_POSTERS

SCHEMA = {
    "genre": pl.String,
    "train_base_rate": pl.Float64,
    "test_base_rate": pl.Float64,
    "train_posters": pl.Int64,
    "test_posters": pl.Int64,
}


def cohort_facts(table: pl.DataFrame) -> pl.DataFrame:
    """One row per genre of the table (`SCHEMA`); null where neither the table nor 2017 has it.

    Base rates come from the columns `train_base_rate` and `test_base_rate`, sizes from the
    confusion counts. A genre of 2017 with 2017's base rates has 2017's cohort sizes.
    """
    columns = set(table.columns)
    aggregated = []
    for cohort in ("train", "test"):
        rate = f"{cohort}_base_rate"
        aggregated.append(
            pl.col(rate).drop_nulls().first()
            if rate in columns
            else pl.lit(None, dtype=pl.Float64).alias(rate)
        )
        cells = [f"{cohort}_{c}" for c in ("tp", "fp", "fn", "tn")]
        total = pl.sum_horizontal(cells, ignore_nulls=False) if columns >= set(cells) else None
        posters = f"{cohort}_posters"
        aggregated.append(
            pl.lit(None, dtype=pl.Int64).alias(posters)
            if total is None
            else total.drop_nulls().filter(total.drop_nulls() > 0).first().alias(posters)
        )
    genres = table.group_by("genre").agg(aggregated).sort("genre")
    rows = []
    for row in genres.iter_rows(named=True):
        published = BASE_RATES.get(row["genre"])
        if published is not None:
            for cohort, share, size in zip(
                ("train", "test"), published, (TRAIN_POSTERS, TEST_POSTERS), strict=True
            ):
                given = row[f"{cohort}_base_rate"]
                is_2017 = given is None or abs(given - share) < 1e-6
                if row[f"{cohort}_posters"] is None and is_2017:
                    row |= {f"{cohort}_base_rate": share, f"{cohort}_posters": size}
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA)


def batch_size(table: pl.DataFrame) -> pl.Expr:
    """The batch size: the column's, else what the family of 2017 says, else 2017's 256."""
    family = pl.col("variant").str.extract(r"^batch(\d+)$").cast(pl.Int64).fill_null(256)
    return pl.col("batch_size").fill_null(family) if "batch_size" in table.columns else family
