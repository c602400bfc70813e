"""Whether a run is above its baseline, and what is wrong with it, in a few words.

The analysis itself is `postertui.analysis`; here its tables become lines for the screen. Polars and
SciPy are imported on the first assessment, which belongs in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postertui.dashboard.number_format import score
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

if TYPE_CHECKING:
    import polars as pl

#: With more runs than this, noise is estimated from those of the same genre alone.
MANY_RUNS = 600


@dataclass(frozen=True)
class Assessment:
    """What the analysis says about the run `name` after `epoch` epochs.

    `verdict` is `above`, `unclear`, `below`, or empty where no baseline is known. `margin`
    is its variant's mean F minus the baseline of its genre, `low` to `high` the 95 % interval (None
    where no error is known), over so many `seeds`. `findings` are (problem, advice), worst first.
    """

    name: str
    epoch: int
    verdict: str = ""
    margin: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def style(self) -> str:
        return {"above": "above", "below": "below"}.get(self.verdict, "between")

    @property
    def line(self) -> str:
        """The verdict in a line: `above the bar by .042 (.010 to .074)`."""
        if self.margin is None:
            return ""
        by = f"by {score(abs(self.margin))}"
        if self.low is None or self.high is None:
            return f"{'over' if self.margin > 0 else 'under'} the bar {by}, error unknown"
        between = f"({signed(self.low)} to {signed(self.high)})"
        if self.verdict == "unclear":
            return f"unclear: {signed(self.margin)} {between}"
        where = "above the bar" if self.verdict == "above" else "below the bar"
        return f"{where} {by} {between}"


def signed(value: float) -> str:
    """`+.012`, `-.300`."""
    return ("-" if value < 0 else "+") + score(abs(value))


def assess(table: pl.DataFrame, name: str) -> Assessment:
    """What the history table shows of its run `name`; the other runs show how much noise there is.

    The assessment is empty where the run has no epochs yet.
    """
    import polars as pl

    from postertui.analysis.baselines import margins
    from postertui.analysis.diagnosis import diagnose_table

    mine = table.filter(pl.col("run") == name)
    if mine.is_empty():
        return Assessment(name, 0)
    genre, variant = mine["genre"][0], mine["name"][0]
    epoch = int(mine["epoch"].max())  # type: ignore[arg-type]
    findings = diagnose_table(table.filter(pl.col("genre") == genre)).filter(pl.col("run") == name)
    problems = tuple(
        (to_single_line(f["line"], 300), to_single_line(f["advice"], 300))
        for f in findings.to_dicts()
    )
    metric = "test_fscore_soft"
    if mine[metric].is_null().all():
        metric = "test_fscore"
    try:
        rows = margins(table, metric).filter(
            (pl.col("genre") == genre) & (pl.col("name") == variant)
        )
    except UserError:
        return Assessment(name, epoch, findings=problems)
    if rows.is_empty():
        return Assessment(name, epoch, findings=problems)
    row = rows.row(0, named=True)
    return Assessment(
        name, epoch, row["verdict"], row["margin"], row["low"], row["high"], row["n"], problems
    )
