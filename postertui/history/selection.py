"""A history table together with what is known of its runs: what commands read and filter.

A filter is about runs. Of a runs folder they are asked as `postertui runs` and the dashboard ask
them, so that the same filter selects the same runs everywhere; of a file they are what the file
says of them, with the defaults that `postertui import` would give them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.filters import Record, parse
from postertui.system.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from postertui.study import Variant

#: What a filter may ask of a run and a table does not say.
UNSAID = ("state", "mode", "epochs", "device", "host", "tag")


@dataclass(frozen=True)
class History:
    """A history table; `variants` and `records` by name, as far as a runs folder knows them.

    `records` holds every run of the folder (see `Run.record`), also those without an epoch, or
    is None where the table is of a file and its rows are all that is known. Of so many `damaged`
    runs nothing could be read.
    """

    table: pl.DataFrame
    variants: Mapping[str, Variant] = field(default_factory=dict)
    records: Mapping[str, Record] | None = None
    damaged: int = 0

    def select(self, text: str) -> History:
        """The history of those runs that the filter `text` accepts.

        Raises `FilterError` where it is none, and `UserError` where it asks for what a table does
        not say.
        """
        import polars as pl

        wanted = parse(text)
        if not text.strip():
            return self
        unsaid = [name for name in UNSAID if name in wanted.fields]
        if self.records is None and unsaid:
            raise UserError(
                f"filter: a table does not say a run's `{unsaid[0]}`; leave it out, or read the "
                "runs folder (--runs)"
            )
        records = dict(_records(self.table)) if self.records is None else self.records
        runs = [name for name, record in records.items() if wanted.matches(record)]
        return replace(self, table=self.table.filter(pl.col("run").is_in(runs)))


def open_history(place: Path) -> History:
    """The history at `place`: a runs folder, or a TSV, CSV or Parquet file; maybe without a row.

    Raises `UserError` where there is neither.
    """
    if not place.is_dir():
        from postertui.history.reading import read_table

        return History(read_table(place))
    from postertui.history.from_runs import history_table
    from postertui.runs.store import Store

    store = Store(place)
    try:
        store.refresh()
    except OSError as error:
        raise UserError(f"{error.filename or place}: {error.strerror}") from None
    specs = (run.spec for run in store.runs.values())
    return History(
        history_table(store.runs.values()),
        {spec.variant.name: spec.variant for spec in specs if spec is not None},
        {name: run.record() for name, run in store.runs.items()},
        sum(run.damage is not None for run in store.runs.values()),
    )


def _records(table: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """The runs of a table in the words of filters, each as its newest epoch tells."""
    from postertui.history.schema import DEFAULTS, with_base_rates
    from postertui.published.naming import variant_from_2017

    newest = with_base_rates(table).sort("epoch").unique("run", keep="last", maintain_order=True)
    for row in newest.iter_rows(named=True):
        record = {key.lower(): value for key, value in row.items()}
        for key, usual in DEFAULTS.items():
            if record[key] is None:
                record[key] = usual
        if record["batch_size"] is None:
            record["batch_size"] = variant_from_2017(
                row["variant"], row["Regularizer"], row["FC1"], row["FC2"], epochs=row["epoch"]
            ).batch_size
        yield row["run"], record | {"family": row["variant"], "variant": row["name"]}
