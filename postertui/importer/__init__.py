"""Histories of any program into runs.

An imported run is a run like any other: `run.json` and `events.jsonl`. Its numbers identify it. So
importing a history again adds nothing, and one that is imported as a log and again as rows of a
table is one run with the columns of both.

- `sources`: the histories at a path, whatever wrote them: `keras_history`, `metrics_table`,
  `tensorboard`; `foreign` and `mapping` make rows of the history table of them
- `histories`: a table's histories as runs; `events`: their events
- `existing`: which of them are in the folder already
- `writing`: new runs onto the disk, whole or not at all
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from postertui.history.schema import with_base_rates
from postertui.importer.existing import ExistingRuns
from postertui.importer.histories import ImportedRun, chunks, histories_of, prepare
from postertui.importer.mapping import HistoryMapping
from postertui.importer.sources import HistorySource, SkippedHistory, read_source
from postertui.importer.writing import StagedRuns, complete_run
from postertui.system.errors import UserError
from postertui.system.read_ahead import read_ahead

__all__ = ["ImportReport", "SkippedHistory", "import_paths"]


@dataclass
class ImportReport:
    """The result of an import.

    Parameters
    ----------
    added
        The names of new runs.
    existing
        How many histories were runs already.
    completed
        Those of them that got further columns, such as confusion counts.
    notes
        What else a user should read, a line each.
    """

    added: list[str] = field(default_factory=list)
    existing: int = 0
    completed: list[str] = field(default_factory=list)
    skipped: list[SkippedHistory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_paths(
    paths: Sequence[Path],
    runs: Path,
    now: float | None = None,
    *,
    mapping: HistoryMapping | None = None,
    encoding: str | None = None,
) -> ImportReport:
    """Bring the histories in `paths` into a runs folder; all is read before anything is written.

    Parameters
    ----------
    paths
        Files of histories, folders of them, history tables.
    runs
        The runs folder.
    now
        When they were imported, in seconds since the epoch of Unix.
    mapping
        What the files do not say: names of metrics, genre, variant.
    encoding
        Of text files that do not show theirs; UTF-8 without it.

    Raises
    ------
    UserError
        Where a path holds no history, or the runs folder cannot be written; a file of a folder that
        cannot be used is skipped and named in the result.
    """
    report = ImportReport()
    columns = mapping or HistoryMapping()
    sources = [read_source(path, columns, encoding) for path in paths]
    for source in sources:
        report.skipped += source.skipped
        report.notes += source.notes
    try:
        for source in sources:
            _import(source, runs, time.time() if now is None else now, report)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{runs}: cannot be written: {reason}", exit_code=1) from None
    return report


def _import(source: HistorySource, runs: Path, now: float, report: ImportReport) -> None:
    table = with_base_rates(source.table)
    seen: set[str] = set()
    copied: set[str] = set()
    existing = ExistingRuns(runs)
    new_columns: dict[str, None] = {}
    completed = 0
    with StagedRuns(runs) as staged:
        for history in _histories(table, source.named, now):
            if history.digest in seen:
                copied.add(history.digest)
                continue
            seen.add(history.digest)
            spec = history.spec()
            run = history.name or spec.run
            match = existing.find(run, spec, history)
            if match is None and (run in staged.names or existing.has(run)):
                reason = "another run has this name and other numbers"
                report.skipped.append(SkippedHistory(f"{source.path}: {run}", reason))
            elif match is None:
                staged.add(run, spec, history.events)
            else:
                report.existing += 1
                if match.missing and complete_run(runs / match.name, match.events):
                    report.completed.append(match.name)
                    new_columns |= dict.fromkeys(match.missing)
                    completed += 1
        added = staged.publish()
        report.added += added
        # The others were added by an import at the same time.
        report.existing += len(staged.names) - len(added)
    if copied:
        report.notes.append(
            f"{source.path}: {len(copied)} histories there more than once, number for number; "
            "each imported once"
        )
    if completed:
        report.notes.append(
            f"{source.path}: {completed} existing runs lacked {', '.join(new_columns)}; added"
        )


def _histories(table: pl.DataFrame, named: frozenset[str], now: float) -> Iterator[ImportedRun]:
    """The histories of a table, of which two chunks' events are in memory."""
    for prepared in read_ahead(prepare(chunk, now) for chunk in chunks(table)):
        yield from histories_of(prepared, named, now)
