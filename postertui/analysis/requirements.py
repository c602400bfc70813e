"""Whether settings meet a stated requirement, such as `test_fscore_soft > always_yes + 0.02`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import polars as pl

from postertui.analysis.baselines import baselines
from postertui.analysis.values import resolve_rule, run_values
from postertui.system.errors import UserError

REQUIRE_SCHEMA = {
    "requirement": pl.String,
    "name": pl.String,
    "genre": pl.String,
    "left": pl.Float64,
    "right": pl.Float64,
    "failed": pl.Boolean,
    "why": pl.String,
}

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
    """Whether every setting meets `requirement`.

    Parameters
    ----------
    table
        A history table with base rates.
    requirement
        Two terms with `>`, `>=`, `<` or `<=` between them, and perhaps a number added to the
        second: `test_fscore_soft > always_yes + 0.02`. A term is a metric (mean over seeds),
        `always_yes`, `base_rate` or a number. A metric that is undefined does not meet anything.
    genres, names
        Globs; case does not count. Empty for all.
    rule
        The epoch of the metrics.

    Returns
    -------
    polars.DataFrame
        One row per variant and genre (`REQUIRE_SCHEMA`), those that fail first.

    Raises
    ------
    UserError
        With exit code 2 for another sentence, and 3 where nothing matches.
    """
    terms_match = _REQUIREMENT.fullmatch(requirement)
    if terms_match is None:
        raise UserError(
            f"cannot read the requirement {requirement!r}; "
            "write it like 'test_fscore_soft > always_yes + 0.02'"
        )
    chosen = choose_by_glob(table, genres, names)
    terms = [_term(chosen, terms_match["left"], rule), _term(chosen, terms_match["right"], rule)]
    offset = float((terms_match["sign"] or "+") + (terms_match["offset"] or "0"))
    meets = _OPERATORS[terms_match["op"]]
    rows = []
    for name, genre in chosen.select("name", "genre").unique().sort("genre", "name").iter_rows():
        left, right = (term[name, genre] for term in terms)
        row = {"requirement": requirement, "name": name, "genre": genre, "left": left}
        if left is None or right is None:
            row |= {"failed": True, "why": "undefined"}
        else:
            right += offset
            failed = not meets(left, right)
            why = f"{left:.4f} is not {terms_match['op']} {right:.4f}" if failed else ""
            row |= {"failed": failed, "why": why}
        rows.append(row | {"right": right})
    frame = pl.DataFrame(rows, schema=REQUIRE_SCHEMA)
    return frame.sort("failed", descending=True, maintain_order=True)


def choose_by_glob(
    table: pl.DataFrame, genres: tuple[str, ...], names: tuple[str, ...]
) -> pl.DataFrame:
    """The rows of `table` whose genre and name match a glob of each; case does not count.

    Raises
    ------
    UserError
        With exit code 3 where nothing matches; it names what there is.
    """
    for column, globs in (("genre", genres), ("name", names)):
        if not globs:
            continue
        present = table[column].unique().sort().to_list()
        kept = [
            value
            for value in present
            if any(fnmatchcase(value.casefold(), glob.casefold()) for glob in globs)
        ]
        if not kept:
            raise UserError(
                f"no {column} matches {', '.join(globs)}; there are {', '.join(present)}",
                exit_code=3,
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
