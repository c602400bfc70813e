"""The variants' quality and cost as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from postertui.analysis.quality import variant_quality
from postertui.analysis.tables.section import Column, Section, number, text

if TYPE_CHECKING:
    from postertui.filters import Record

_SCORES = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "test_precision": "precision",
    "test_recall": "recall",
    "test_fscore_threshold": "F chosen",
    "test_ap": "AP",
    "test_auroc": "AUROC",
    "test_brier": "Brier",
}


def quality_section(
    table: pl.DataFrame,
    records: Mapping[str, Record] | None = None,
    kept_bytes: Mapping[str, int] | None = None,
) -> Section:
    """What each variant's models are worth and what they cost; see `variant_quality`.

    Parameters
    ----------
    table
        A history table.
    records
        The runs' records by name, of a runs folder.
    kept_bytes
        By run, the size of what it keeps on disk.
    """
    frame = variant_quality(table, records, kept_bytes)
    columns = [
        Column("variant", text("name")),
        Column("genres", text("genres"), right=True),
        *(
            Column(heading, number(name), right=True)
            for name, heading in _SCORES.items()
            if frame[name].null_count() < frame.height
        ),
        Column("train s", number("train_seconds", 1), right=True),
    ]
    if frame["predict_seconds"].null_count() < frame.height:
        columns.append(Column("s/1,000", number("predict_seconds", 1), right=True))
    if frame["kept_bytes"].null_count() < frame.height:
        columns.append(Column("kept", _size("kept_bytes"), right=True))
    has_threshold = frame["test_fscore_threshold"].null_count() < frame.height
    chosen = ", `F chosen` at the threshold chosen on validation" if has_threshold else ""
    notes = [
        "Means over genres at each run's last epoch, on test; macro-F1, micro-F1, precision and "
        f"recall at .5{chosen}.",
        "Costs are of one run: seconds to train, seconds for 1,000 posters, bytes kept.",
    ]
    return Section("quality", "Quality and cost", frame, columns, notes)


def _size(key: str) -> Callable[[Mapping[str, Any]], str]:
    """A cell with a number of bytes; a dash where it is missing."""

    def cell(row: Mapping[str, Any]) -> str:
        value = row[key]
        if value is None:
            return "–"  # noqa: RUF001
        return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"

    return cell
