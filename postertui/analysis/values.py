"""One number per run: a metric at the epoch that a rule picks."""

from __future__ import annotations

import polars as pl

from postertui.system.errors import UserError

#: How the epoch of a comparison is picked, and what to say about it.
RULES = {
    "last": "at the last epoch that most runs reached",
    "end": "at each run's own last epoch",
    "best": "at each run's best epoch, chosen on the test cohort: too good by that choice",
}

KEYS = ("name", "genre", "seed", "run")


def default_metric(table: pl.DataFrame) -> str:
    """`test_fscore_soft` where every run that lives has it, else the published `test_fscore`.

    The pooled soft F is defined wherever the cohort has a positive; the published one is a mean
    over batches and undefined as soon as one batch has none.
    """
    if "test_fscore_soft" not in table.columns:
        return "test_fscore"
    has = table.filter(~dead_rows(table)).group_by("run")
    counts = has.agg(pl.col("test_fscore_soft").is_not_null().any().alias("has"))["has"]
    return "test_fscore_soft" if len(counts) and counts.all() else "test_fscore"


def dead_rows(table: pl.DataFrame) -> pl.Expr:
    """Whether a row comes from a dead model: its column `dead`, else an accuracy of exactly 0.

    In 2017 the accuracy of NaN predictions was 0, because round(NaN) equals no label; a live
    model is right about some poster.
    """
    accuracy = pl.col("test_accuracy").fill_null(1.0).fill_nan(1.0) == 0
    if "dead" not in table.columns:
        return accuracy
    return pl.col("dead").fill_null(accuracy)


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of `metric` is the better one."""
    return "loss" in metric or "brier" in metric


def genres_share_seeds(table: pl.DataFrame) -> bool:
    """Whether runs of one seed and different genres may share their random numbers.

    Those of a study with `random_key = "seed-genre"` do not; of others it is not known.
    """
    if "random_key" not in table.columns:
        return True
    return not bool((table["random_key"] == "seed-genre").fill_null(value=False).all())


def with_keys(table: pl.DataFrame) -> pl.DataFrame:
    """`table` sorted by run and epoch, with `seed` filled and `replicate` counting equal seeds.

    Two histories of one setting and seed (a repeated run of 2017) are two runs: `replicate` tells
    them apart, 0 for the first.
    """
    table = table.with_columns(pl.col("seed").fill_null(0))
    runs = table.select(KEYS).unique(maintain_order=True).sort(KEYS)
    runs = runs.with_columns(
        replicate=pl.int_range(pl.len()).over("name", "genre", "seed").cast(pl.Int64)
    )
    return table.join(runs.select("run", "replicate"), on="run", how="left").sort("run", "epoch")


def common_epoch(table: pl.DataFrame) -> int:
    """The last epoch of most runs, the smaller where two are as common."""
    last = table.group_by("run").agg(pl.max("epoch"))["epoch"]
    counts = last.value_counts(name="runs").sort("runs", "epoch", descending=[True, False])
    return int(counts["epoch"][0])


def check_metric(table: pl.DataFrame, metric: str) -> None:
    """Raise `UserError` unless `metric` is a number column of the table."""
    if metric in table.columns and table.schema[metric].is_numeric():
        return
    numbers = [c for c in table.columns if c.startswith(("test_", "train_"))]
    raise UserError(f"no metric {metric!r} in the table; it has {', '.join(numbers)}")


def run_values(table: pl.DataFrame, metric: str, rule: str | int = "last") -> pl.DataFrame:
    """One row per run: `name genre seed replicate run epoch value state`.

    `rule` is `last`, `end`, `best` (see `RULES`) or an epoch's number. `state` is `ok`, `dead`,
    `undefined` (the metric is null there) or `short` (the run has not reached the epoch), and
    `value` is null unless it is `ok`. Raises `UserError` for an unknown rule or metric.
    """
    check_metric(table, metric)
    table = with_keys(table)
    rule = resolve_rule(table, rule)
    keys = ["name", "genre", "seed", "replicate", "run"]
    rows = table.select(
        *keys,
        "epoch",
        value=pl.col(metric).cast(pl.Float64).fill_nan(None),
        is_dead=dead_rows(table),
    )
    runs = rows.select(keys).unique(maintain_order=True)
    if rule == "best":
        live = rows.filter(~pl.col("is_dead") & pl.col("value").is_not_null())
        order = live.sort("value", descending=not lower_is_better(metric), maintain_order=True)
        picked = order.group_by("run", maintain_order=True).first()
        last = rows.group_by("run", maintain_order=True).last()
        picked = pl.concat([picked, last.join(picked, on="run", how="anti")], how="diagonal")
    elif rule == "end":
        picked = rows.group_by("run", maintain_order=True).last()
    elif isinstance(rule, int):
        picked = rows.filter(pl.col("epoch") == rule)
    else:
        raise UserError(f"no epoch rule {rule!r}; use last, end, best or an epoch's number")
    picked = runs.join(picked.drop("name", "genre", "seed", "replicate"), on="run", how="left")
    state = (
        pl.when(pl.col("epoch").is_null())
        .then(pl.lit("short"))
        .when(pl.col("is_dead"))
        .then(pl.lit("dead"))
        .when(pl.col("value").is_null())
        .then(pl.lit("undefined"))
        .otherwise(pl.lit("ok"))
    )
    picked = picked.with_columns(state=state).drop("is_dead")
    return picked.with_columns(
        value=pl.when(pl.col("state") == "ok").then("value").otherwise(None)
    ).sort("name", "genre", "seed", "replicate")


def resolve_rule(table: pl.DataFrame, rule: str | int) -> str | int:
    """`rule`, with `last` as the epoch that it means for this table."""
    return common_epoch(table) if rule == "last" and table.height else rule


def rule_line(table: pl.DataFrame, rule: str | int) -> str:
    """What `rule` means for this table, for people."""
    if rule == "last":
        return f"at epoch {common_epoch(table)}, the last that most runs reached"
    return f"at epoch {rule}" if isinstance(rule, int) else RULES[rule]
