"""A gate for continuous integration: did a variant get worse, does a model pass its baseline?"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.baselines import baselines
from postertui.analysis.noise import ENOUGH_DF, estimate_noise, find_equal_variants, within_settings
from postertui.analysis.statistics import holm, t_p_value, t_quantile, t_ratio
from postertui.analysis.values import check_metric, lower_is_better, resolve_rule, run_values
from postertui.system.errors import UserError

AGAINST_SCHEMA = {
    "name": pl.String,
    "genre": pl.String,
    "runs": pl.Int64,
    "baseline": pl.Float64,
    "now": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p_adjusted": pl.Float64,
    "failed": pl.Boolean,
    "why": pl.String,
}
REQUIRE_SCHEMA = {
    "requirement": pl.String,
    "name": pl.String,
    "genre": pl.String,
    "left": pl.Float64,
    "right": pl.Float64,
    "failed": pl.Boolean,
    "why": pl.String,
}
ALPHA = 0.05

#: The genre of a row that stands for all of a variant's genres.
ALL = "(all)"


@dataclass(frozen=True)
class CheckReport:
    """`rows` (`AGAINST_SCHEMA`), failures first, and sentences that belong under them."""

    rows: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def failed(self) -> bool:
        return bool(self.rows["failed"].any())


def check_against(
    table: pl.DataFrame,
    baseline: pl.DataFrame,
    *,
    metric: str,
    margin: float | None = None,
    rule: str | int = "last",
) -> CheckReport:
    """Whether a variant of `table` is worse than the same variant of `baseline`.

    Variants meet by name and genre, as means over their seeds; one more row per variant is the
    mean over its genres. With `margin=None` a row fails where it is worse beyond noise: a
    one-sided t test at 5 %, corrected by Holm over all rows, whose error is the spread of runs of
    one setting in both tables. With a number a row fails where it is worse by more than that, and
    the noise is only shown. A setting of which more runs have died fails in either case.

    Raises `UserError` where the tables share no variant and genre (exit code 3), and where
    `margin` is None but the noise cannot be known (exit code 2).
    """
    check_metric(baseline, metric)
    rule_then, rule_now = resolve_rule(baseline, rule), resolve_rule(table, rule)
    if rule == "last" and isinstance(rule_then, int) and isinstance(rule_now, int):
        rule_then = rule_now = min(rule_then, rule_now)
    then, now = run_values(baseline, metric, rule_then), run_values(table, metric, rule_now)
    sign = -1.0 if lower_is_better(metric) else 1.0
    met = _side(now, "now").join(_side(then, "then"), on=["name", "genre"])
    met = met.sort("name", "genre")
    if met.is_empty():
        raise UserError("the two tables share no variant and genre", exit_code=3)
    variance, df, source = _both_noises(table, baseline, now, then)
    if margin is None and df == 0:
        raise UserError(
            "no noise to judge by: no setting was trained twice in either table; "
            "train more seeds or give a number, e.g. --margin 0.02"
        )
    rows = [_row(cell, variance) for cell in met.iter_rows(named=True)]
    rows += _overall_rows(rows)
    _judge(rows, margin, df, sign)
    frame = pl.DataFrame(rows, schema=AGAINST_SCHEMA).sort(
        pl.col("failed"), pl.col("difference") * sign, descending=[True, False], nulls_last=True
    )
    notes = [f"{metric}, {met.height} settings in both tables.", source]
    notes += _missing_note(now, then)
    if margin is None:
        notes.append("Fails where worse beyond noise: one-sided t, 5 %, Holm over all rows.")
    else:
        notes.append(f"Fails where worse by more than {margin:g}.")
    return CheckReport(frame, tuple(notes))


def _side(values: pl.DataFrame, which: str) -> pl.DataFrame:
    return values.group_by("name", "genre").agg(
        pl.mean("value").alias(which),
        pl.col("value").count().cast(pl.Int64).alias(f"{which}_runs"),
        (pl.col("state") == "dead").sum().cast(pl.Int64).alias(f"{which}_dead"),
        (pl.col("state") != "short").sum().cast(pl.Int64).alias(f"{which}_there"),
    )


def _both_noises(
    table: pl.DataFrame, baseline: pl.DataFrame, now: pl.DataFrame, then: pl.DataFrame
) -> tuple[float, float, str]:
    """A run's variance, its degrees of freedom, and where it is from, in a sentence."""
    ss = df = 0.0
    for values in (now, then):
        for own, freedom in within_settings(values).values():
            ss, df = ss + own * freedom, df + freedom
    if df >= ENOUGH_DF:
        sd = math.sqrt(ss / df)
        text = (
            f"Noise: {sd:.4f} a run ({df:.0f} degrees of freedom), from the seeds of both tables."
        )
        return ss / df, df, text
    for values, source in ((then, baseline), (now, table)):
        noise = estimate_noise(values, find_equal_variants(source))
        if noise.is_known:
            return noise.sd**2, noise.df, noise.line
    return math.nan, 0.0, "Noise: unknown."


def _row(cell: dict[str, Any], variance: float) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(AGAINST_SCHEMA)
    row |= {"name": cell["name"], "genre": cell["genre"], "runs": cell["now_runs"]}
    row |= {"baseline": cell["then"], "now": cell["now"], "failed": False, "why": ""}
    row["_died"] = (cell["now_dead"], cell["now_there"], cell["then_dead"], cell["then_there"])
    if cell["now"] is not None and cell["then"] is not None:
        row["difference"] = cell["now"] - cell["then"]
        row["_variance"] = variance * (1 / cell["now_runs"] + 1 / cell["then_runs"])
    return row


def _overall_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each variant with two genres or more, the mean over those with a value on both sides."""
    overall = []
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [r for r in rows if r["name"] == name and r["difference"] is not None]
        if len(own) < 2:
            continue
        row: dict[str, Any] = dict.fromkeys(AGAINST_SCHEMA)
        row |= {"name": name, "genre": ALL, "runs": sum(r["runs"] for r in own)}
        for key in ("baseline", "now", "difference"):
            row[key] = float(np.mean([r[key] for r in own]))
        row |= {"failed": False, "why": "", "_died": (0, 0, 0, 0)}
        row["_variance"] = sum(r["_variance"] for r in own) / len(own) ** 2
        overall.append(row)
    return overall


def _judge(rows: list[dict[str, Any]], margin: float | None, df: float, sign: float) -> None:
    """Fill interval, p-value, verdict and reason of each row."""
    p_values = []
    for row in rows:
        p = math.nan
        if row["difference"] is not None and df > 0:
            se = math.sqrt(row["_variance"])
            half = t_quantile(1 - ALPHA / 2, df) * se
            row |= {"low": row["difference"] - half, "high": row["difference"] + half}
            two_sided = t_p_value(t_ratio(row["difference"], se), df)
            p = two_sided / 2 if sign * row["difference"] < 0 else 1 - two_sided / 2
        p_values.append(p)
    for row, p in zip(rows, holm(p_values), strict=True):
        row.pop("_variance", None)
        row["p_adjusted"] = None if math.isnan(p) else p
        dead, there, dead_then, there_then = row.pop("_died")
        if row["difference"] is not None:
            loss = -sign * row["difference"]
            if margin is not None and loss > margin:
                row |= {"failed": True, "why": f"worse by {loss:.4f}, more than {margin:g}"}
            elif margin is None and p < ALPHA:
                row |= {"failed": True, "why": f"worse by {loss:.4f}, beyond noise"}
        if there and there_then and dead / there > dead_then / there_then:
            row["failed"] = True
            why = f"{dead} of {there} runs died, {dead_then} of {there_then} before"
            row["why"] = f"{row['why']}; {why}".removeprefix("; ")


def _missing_note(now: pl.DataFrame, then: pl.DataFrame) -> list[str]:
    keys = ["name", "genre"]
    gone = then.select(keys).unique().join(now.select(keys).unique(), on=keys, how="anti")
    if gone.is_empty():
        return []
    names = ", ".join(f"{n}/{g}" for n, g in gone.sort(keys).head(5).iter_rows())
    more = f" and {gone.height - 5} more" if gone.height > 5 else ""
    return [f"Not in this table, so not checked: {names}{more}."]


_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TERM = r"[A-Za-z_][A-Za-z0-9_]*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_REQUIREMENT = re.compile(
    rf"\s*(?P<left>{_TERM})\s*(?P<op>>=|<=|>|<)\s*(?P<right>{_TERM})"
    r"(?:\s*(?P<sign>[-+])\s*(?P<offset>\d+\.?\d*|\.\d+))?\s*"
)
_BASELINES = ("always_yes", "base_rate")


def check_requirement(
    table: pl.DataFrame,
    requirement: str,
    *,
    genres: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    rule: str | int = "last",
) -> pl.DataFrame:
    """Whether every setting meets `requirement`: one row per variant and genre (`REQUIRE_SCHEMA`).

    A requirement is two terms with `>`, `>=`, `<` or `<=` between them, and perhaps a number
    added to the second: `test_fscore_soft > always_yes + 0.02`. A term is a metric (mean over
    seeds at the epoch of `rule`), `always_yes`, `base_rate` or a number. `genres` and `names` are
    globs, case-insensitive for genres. A metric that is undefined does not meet anything.

    Raises `UserError` for another sentence (exit code 2) and where nothing matches (3).
    """
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise UserError(
            f"cannot read the requirement {requirement!r}; "
            "write it like 'test_fscore_soft > always_yes + 0.02'"
        )
    chosen = _select(table, genres, names)
    terms = [_term(chosen, found["left"], rule), _term(chosen, found["right"], rule)]
    offset = float((found["sign"] or "+") + (found["offset"] or "0"))
    meets = _OPERATORS[found["op"]]
    rows = []
    for name, genre in chosen.select("name", "genre").unique().sort("genre", "name").iter_rows():
        left, right = (term[name, genre] for term in terms)
        row = {"requirement": requirement, "name": name, "genre": genre, "left": left}
        if left is None or right is None:
            row |= {"failed": True, "why": "undefined"}
        else:
            right += offset
            failed = not meets(left, right)
            why = f"{left:.4f} is not {found['op']} {right:.4f}" if failed else ""
            row |= {"failed": failed, "why": why}
        rows.append(row | {"right": right})
    frame = pl.DataFrame(rows, schema=REQUIRE_SCHEMA)
    return frame.sort("failed", descending=True, maintain_order=True)


def _select(table: pl.DataFrame, genres: tuple[str, ...], names: tuple[str, ...]) -> pl.DataFrame:
    for column, globs in (("genre", genres), ("name", names)):
        if not globs:
            continue
        there = table[column].unique().sort().to_list()
        kept = [
            value
            for value in there
            if any(fnmatchcase(value.casefold(), glob.casefold()) for glob in globs)
        ]
        if not kept:
            raise UserError(
                f"no {column} matches {', '.join(globs)}; there are {', '.join(there)}", exit_code=3
            )
        table = table.filter(pl.col(column).is_in(kept))
    if table.is_empty():
        raise UserError("the table is empty", exit_code=3)
    return table


def _term(
    table: pl.DataFrame, term: str, rule: str | int
) -> Mapping[tuple[str, str], float | None]:
    """The term's value for each (name, genre) of the table."""
    cells = list(table.select("name", "genre").unique().iter_rows())
    if re.fullmatch(r"[-+.\d].*", term):
        return dict.fromkeys(cells, float(term))
    if term in _BASELINES:
        rates = dict(baselines(table).select("genre", term).iter_rows())
        return {(name, genre): rates[genre] for name, genre in cells}
    values = run_values(table, term, resolve_rule(table, rule))
    means = values.group_by("name", "genre").agg(pl.mean("value"))
    return {(name, genre): mean for name, genre, mean in means.iter_rows()}
