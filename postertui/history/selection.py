"""A history table with the records of its runs: what commands read and filter.

A filter selects runs. The records of a runs folder are those that `postertui runs` and the
dashboard filter, so that one filter selects the same runs everywhere. A file's records follow from
its rows, with the defaults that `postertui import` would give them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused
from postertui.system.sharing import describe_os_error

if TYPE_CHECKING:
    import polars as pl

    from postertui.filters import Record
    from postertui.runs.store.run import Run, RunProblem
    from postertui.study import Variant

#: Filter fields that a table has no column for.
RUN_ONLY_FIELDS = ("state", "standing", "mode", "epochs", "device", "host", "tag")


class RunRecords(Mapping[str, "Record"]):
    """The records of a store's runs by name, made when one is asked for.

    They take longer than reading the runs does, and without a filter most commands need none.
    """

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self._runs = runs

    @cached_property
    def _records(self) -> dict[str, Record]:
        return {name: run.record() for name, run in self._runs.items()}

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


@dataclass(frozen=True)
class History:
    """A history table, with the variants and the records of its runs.

    Parameters
    ----------
    table
        As `history_table` or `read_table` makes it.
    variants
        By name; none for a table from a file.
    records
        Every run of the folder by name (see `Run.record`), also those without an epoch; None for a
        table from a file.
    left_out
        How many runs could not be read, by why.
    folder
        The runs folder, where it is the history of one.
    """

    table: pl.DataFrame
    variants: Mapping[str, Variant] = field(default_factory=dict)
    records: Mapping[str, Record] | None = None
    left_out: Mapping[RunProblem, int] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def variant_names(self) -> set[str]:
        """The names of its runs' variants, also of those without an epoch."""
        if self.records is not None:
            return set(self.variants) | set(self.table["name"].drop_nulls().unique())
        return set(self.table["name"].drop_nulls().unique())

    def select(self, text: str) -> History:
        """The history of those runs that the filter `text` accepts.

        Raises `FilterError` where it cannot be parsed, and `UserError` where it names a field that
        the table has no column for.
        """
        if not text.strip():
            return self
        from postertui.filters import check_fields, parse

        query = parse(text, self.variant_names)
        missing = [name for name in RUN_ONLY_FIELDS if name in query.fields]
        if self.records is None and missing:
            raise UserError(
                f"filter: a table has no column `{missing[0]}`; leave it out, or read the "
                "runs folder (--runs)"
            )
        records = dict(_records(self.table)) if self.records is None else self.records
        check_fields(query, records.values())
        runs = [name for name, record in records.items() if query.matches(record)]
        is_chosen = self.table["run"].is_in(runs)
        return replace(self, table=self.table.filter(is_chosen))


def open_history(place: Path) -> History:
    """The history at a path; maybe an empty one.

    Parameters
    ----------
    place
        A runs folder, or a TSV, CSV or Parquet file.

    Raises
    ------
    UserError
        Where there is neither.
    """
    if not place.is_dir():
        from postertui.history.reading import read_table

        return History(read_table(place))
    from postertui.history.from_runs import history_table
    from postertui.runs.store import Store

    store = Store(place)
    try:
        with gc_paused():
            store.refresh()
    except OSError as error:
        raise UserError(describe_os_error(error, place)) from None
    specs = (run.spec for run in store.runs.values())
    return History(
        history_table(store.runs.values()),
        {spec.variant.name: spec.variant for spec in specs if spec is not None},
        RunRecords(store.runs),
        Counter(run.problem for run in store.runs.values() if run.problem is not None),
        place,
    )


def _records(table: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """The runs of a table as filters see them: the newest epoch of each, by name."""
    from postertui.history.schema import DEFAULTS, with_base_rates
    from postertui.published.naming import variant_from_2017

    newest = with_base_rates(table).sort("epoch").unique("run", keep="last", maintain_order=True)
    for row in newest.iter_rows(named=True):
        record = {key.lower(): value for key, value in row.items()}
        for key, default in DEFAULTS.items():
            if record[key] is None:
                record[key] = default
        if record["batch_size"] is None:
            record["batch_size"] = variant_from_2017(
                row["variant"], row["Regularizer"], row["FC1"], row["FC2"], epochs=row["epoch"]
            ).batch_size
        yield row["run"], record | {"family": row["variant"], "variant": row["name"]}
