"""One number per run: a metric at the epoch that a rule picks."""

from __future__ import annotations

import polars as pl

from postertui.analysis.repetition import repeated_histories, without_copies
from postertui.analysis.row_states import CONFUSION, collapsed_rows, dead_rows, early_stopped_rows
from postertui.history.metric_names import lower_is_better
from postertui.system.errors import UserError

#: Which epoch of each run is compared, in words.
RULES = {
    "last": "at the last epoch that most runs reached",
    "end": "at each run's own last epoch",
    "best": "at each run's best epoch, chosen on the test cohort: too good by that choice",
}
_BEST_ON_VALIDATION = "at each run's best epoch on the validation cohort"


class CommonEpoch(int):
    """The epoch that `last` means; a run that stopped early by its own rule is at its end there."""


KEYS = ("name", "genre", "seed", "run")


def default_metric(table: pl.DataFrame) -> str:
    """`test_fscore_soft` where every run that lives has it, else the published `test_fscore`.

    The pooled soft F is defined wherever the cohort has a positive; the published one is a mean
    over batches and undefined as soon as one batch has none.
    """
    if "test_fscore_soft" not in table.columns:
        return "test_fscore"
    # Of few columns: a filter copies what it keeps.
    live = table.select("run", "test_fscore_soft", is_dead=dead_rows(table)).filter(
        ~pl.col("is_dead")
    )
    has = live.group_by("run").agg(pl.col("test_fscore_soft").is_not_null().any())
    has_soft = has["test_fscore_soft"]
    return "test_fscore_soft" if len(has_soft) and has_soft.all() else "test_fscore"


def genres_share_seeds(table: pl.DataFrame) -> bool:
    """Whether runs of one seed and different genres may share their random numbers.

    Those of a study with `random_key = "seed-genre"` do not; of others it is not known.
    """
    if "random_key" not in table.columns:
        return True
    return not bool((table["random_key"] == "seed-genre").fill_null(value=False).all())


def with_keys(table: pl.DataFrame) -> pl.DataFrame:
    """`table` sorted by run and epoch, with `seed` filled, `fold` and `replicate`.

    `fold` says which cohorts trained and tested; `replicate` counts runs of one seed and fold.

    Two histories of one setting and seed (a repeated run of 2017) are two runs: `replicate` numbers
    them, 0 for the first.
    """
    table = table.with_columns(pl.col("seed").fill_null(0))
    cohorts = [c for c in ("train_cohorts", "test_cohorts") if c in table.columns]
    fold = pl.concat_str(pl.col(c).fill_null("") for c in cohorts) if cohorts else pl.lit("")
    table = table.with_columns(fold=fold)
    runs = table.select(*KEYS, "fold").unique("run", maintain_order=True).sort(KEYS)
    runs = runs.with_columns(
        replicate=pl.int_range(pl.len()).over("name", "genre", "seed", "fold").cast(pl.Int64)
    )
    return table.join(runs.select("run", "replicate"), on="run", how="left").sort("run", "epoch")


def common_epoch(table: pl.DataFrame) -> CommonEpoch:
    """The last epoch of most runs, the smaller where two are as common.

    Runs that stopped early do not count; where all did, it is the last epoch of any.
    """
    runs = table.group_by("run").agg(pl.max("epoch"), stopped=early_stopped_rows(table).any())
    whole = runs.filter(~pl.col("stopped"))
    if whole.is_empty():
        return CommonEpoch(max(runs["epoch"].to_list(), default=0))
    counts = whole["epoch"].value_counts(name="runs")
    return CommonEpoch(counts.sort("runs", "epoch", descending=[True, False])["epoch"][0])


def check_metric(table: pl.DataFrame, metric: str) -> None:
    """Refuse a metric that is no number column of the table.

    Raises
    ------
    UserError
        Naming the metrics that there are.
    """
    if metric in table.columns and table.schema[metric].is_numeric():
        return
    metrics = [
        name
        for name, kind in table.schema.items()
        if kind.is_numeric()
        and name.startswith(("test_", "val_", "train_"))
        and not name.endswith("_base_rate")
        and table[name].null_count() < table.height
    ]
    raise UserError(f"no metric {metric!r} in the table; it has {', '.join(metrics)}")


def run_values(
    table: pl.DataFrame,
    metric: str,
    rule: str | int = "last",
    *,
    copies: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """One row per run: `name genre seed fold replicate run epoch value state collapsed`.

    Parameters
    ----------
    rule
        `last`, `end`, `best` (see `RULES`) or an epoch's number. `best` is chosen on the
        validation cohort where a run has one.
    copies
        The table's `repeated_histories`; None to find them here.

    Returns
    -------
    polars.DataFrame
        `state` is `ok`, `dead`, `undefined` (the metric is null there) or `short` (the run has
        not reached the epoch), and `value` is null unless it is `ok`. `collapsed` runs give one
        answer for every test poster. A history that is there several times, number for number,
        is one run.

    Raises
    ------
    UserError
        For an unknown rule or metric.
    """
    check_metric(table, metric)
    rule = resolve_rule(table, rule)
    if copies is None:
        copies = repeated_histories(table)
    chosen_by = _validation_column(table, metric)
    needed = {metric, chosen_by, *_ROW_COLUMNS}
    # Sorting and joining all columns of a large table would take its memory several times.
    table = table.select(name for name in table.columns if name in needed)
    table = with_keys(without_copies(table, copies))
    rows = table.select(
        *_RUN_KEYS,
        "epoch",
        value=pl.col(metric).cast(pl.Float64).fill_nan(None),
        chosen_by=_chosen_by(table, metric),
        is_dead=dead_rows(table),
        collapsed=collapsed_rows(table),
        stopped=early_stopped_rows(table),
    )
    runs = rows.select(_RUN_KEYS).unique(maintain_order=True)
    last = rows.group_by("run", maintain_order=True).last()
    if rule == "best":
        live = rows.filter(~pl.col("is_dead") & pl.col("value").is_not_null())
        live = live.with_columns(pl.coalesce("chosen_by", "value").alias("chosen_by"))
        order = live.sort("chosen_by", descending=not lower_is_better(metric), maintain_order=True)
        picked = order.group_by("run", maintain_order=True).first()
        picked = pl.concat([picked, last.join(picked, on="run", how="anti")], how="diagonal")
    elif rule == "end":
        picked = last
    elif isinstance(rule, int):
        picked = rows.filter(pl.col("epoch") == rule)
        if isinstance(rule, CommonEpoch):
            early = last.filter(pl.col("stopped") & (pl.col("epoch") < rule))
            picked = pl.concat([picked, early], how="diagonal")
    else:
        raise UserError(f"no epoch rule {rule!r}; use last, end, best or an epoch's number")
    picked = picked.select("run", "epoch", "value", "is_dead", "collapsed")
    picked = runs.join(picked, on="run", how="left")
    state = (
        pl.when(pl.col("epoch").is_null())
        .then(pl.lit("short"))
        .when(pl.col("is_dead"))
        .then(pl.lit("dead"))
        .when(pl.col("value").is_null())
        .then(pl.lit("undefined"))
        .otherwise(pl.lit("ok"))
    )
    picked = picked.with_columns(
        state=state, collapsed=pl.col("collapsed").fill_null(value=False)
    ).drop("is_dead")
    return picked.with_columns(
        value=pl.when(pl.col("state") == "ok").then("value").otherwise(None)
    ).sort("name", "genre", "seed", "replicate")


_RUN_KEYS = ("name", "genre", "seed", "fold", "replicate", "run")
#: What a row's value and state depend on, besides the metric.
_ROW_COLUMNS = (
    *KEYS, "epoch", "train_cohorts", "test_cohorts", "dead", "test_accuracy", "stopped_early",
    *CONFUSION,
)  # fmt: skip


def _chosen_by(table: pl.DataFrame, metric: str) -> pl.Expr:
    """The metric that `best` goes by: the validation cohort's where there is one, else null."""
    column = _validation_column(table, metric)
    if column is None:
        return pl.lit(None, dtype=pl.Float64)
    return pl.col(column).cast(pl.Float64).fill_nan(None)


def _validation_column(table: pl.DataFrame, metric: str) -> str | None:
    column = f"val_{metric.removeprefix('test_')}"
    return column if metric.startswith("test_") and column in table.columns else None


def chosen_on_test(table: pl.DataFrame, metric: str, rule: str | int) -> bool:
    """Whether the epochs that `rule` picks were chosen by the test numbers of some run."""
    if rule != "best":
        return False
    column = _validation_column(table, metric)
    if column is None:
        return True
    has = table.group_by("run").agg(pl.col(column).is_not_null().any())[column]
    return not bool(has.all())


def resolve_rule(table: pl.DataFrame, rule: str | int) -> str | int:
    """`rule`, with `last` as the epoch that it means for this table."""
    return common_epoch(table) if rule == "last" and table.height else rule


def rule_line(table: pl.DataFrame, rule: str | int, metric: str = "") -> str:
    """Which epochs `rule` (also as `resolve_rule` has it) compares in this table, in words."""
    if rule == "last" or isinstance(rule, CommonEpoch):
        epoch = rule if isinstance(rule, CommonEpoch) else common_epoch(table)
        early = table.select("run", "epoch", stopped=early_stopped_rows(table)).filter("stopped")
        early = early.group_by("run").agg(pl.max("epoch")).filter(pl.col("epoch") < epoch)
        text = f"at epoch {epoch}, the last that most runs reached"
        if early.height:
            ends = early["epoch"].to_list()
            last = f"{min(ends)}" if min(ends) == max(ends) else f"{min(ends)} to {max(ends)}"
            what = "that stopped early" if min(ends) > 1 else "that stopped early or have one row"
            text += f" ({early.height} {what} at their end, {last})"
        return text
    if rule == "best" and metric and not chosen_on_test(table, metric, rule):
        return _BEST_ON_VALIDATION
    return f"at epoch {rule}" if isinstance(rule, int) else RULES[rule]
