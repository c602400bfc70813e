"""What a row of the history table says of its run: dead, collapsed to one answer, stopped early."""

from __future__ import annotations

import polars as pl

CONFUSION = ("test_tp", "test_fp", "test_fn", "test_tn")


def dead_rows(table: pl.DataFrame) -> pl.Expr:
    """Whether a row comes from a dead model: its column `dead`, else an accuracy of exactly 0.

    In 2017 the accuracy of NaN predictions was 0, because round(NaN) equals no label; a live
    model is right about some poster.
    """
    accuracy = pl.col("test_accuracy").fill_null(1.0).fill_nan(1.0) == 0
    if "dead" not in table.columns:
        return accuracy
    return pl.col("dead").fill_null(accuracy)


def early_stopped_rows(table: pl.DataFrame) -> pl.Expr:
    """Whether a row is of a run that ended by its own rule."""
    if "stopped_early" not in table.columns:
        return pl.lit(value=False)
    return pl.col("stopped_early").fill_null(value=False)


def collapsed_rows(table: pl.DataFrame) -> pl.Expr:
    """Whether a row's model gives one answer for every test poster, from the confusion counts."""
    if not set(CONFUSION) <= set(table.columns):
        return pl.lit(value=False)
    tp, fp, fn, tn = map(pl.col, CONFUSION)
    return ((tp + fp == 0) | (fn + tn == 0)).fill_null(value=False)
