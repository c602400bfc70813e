"""One number per run of a table and the noise between runs, which its analyses share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.repetition import repeated_histories
from postertui.analysis.values import resolve_rule, run_values


@dataclass(frozen=True)
class MeasuredRuns:
    """A metric of a table's runs at the epoch that a rule picks.

    Attributes
    ----------
    metric, rule
        What was measured, at which epoch: the rule as `resolve_rule` has it.
    values
        `run_values` of the table.
    copies
        Its `repeated_histories`.
    equal
        Its `find_equal_variants`.
    noise
        The noise of a run (`estimate_noise`).
    """

    metric: str
    rule: str | int
    values: pl.DataFrame
    copies: pl.DataFrame
    equal: Mapping[str, str]
    noise: Noise


def measure_runs(table: pl.DataFrame, metric: str, rule: str | int = "last") -> MeasuredRuns:
    """Measure the runs of a whole table.

    Parameters
    ----------
    rule
        `last`, `end`, `best`, or the number of an epoch.

    Raises
    ------
    UserError
        For an unknown rule or metric.
    """
    rule = resolve_rule(table, rule)
    copies = repeated_histories(table)
    values = run_values(table, metric, rule, copies=copies)
    equal = find_equal_variants(table)
    return MeasuredRuns(metric, rule, values, copies, equal, estimate_noise(values, equal))
