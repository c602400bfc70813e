"""Histories from elsewhere into runs: logs of 2017 and history tables.

An imported run is a run like any other: `run.json` and `events.jsonl`. What identifies it is what
its history says. So importing the same history again adds nothing, and one that came as a log and
comes as rows of a table too is one run, which then has all that either says.

- `sources`: what is in a path
- `histories`: a table's histories as runs
- `existing`: which of them are in the folder already
- `writing`: new runs onto the disk, whole or not at all
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postertui.history.schema import with_base_rates
from postertui.importer.existing import Existing
from postertui.importer.histories import chunks, histories_of
from postertui.importer.sources import Skipped, Source, read_source
from postertui.importer.writing import complete_run, write_runs
from postertui.system.errors import UserError

__all__ = ["ImportReport", "Skipped", "import_paths"]


@dataclass
class ImportReport:
    """What an import did.

    `added` are new runs; `there` counts histories that were runs already, and `completed` are
    those of them of which a source said more, such as confusion counts.
    """

    added: list[str] = field(default_factory=list)
    there: int = 0
    completed: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_paths(paths: Sequence[Path], runs: Path, now: float | None = None) -> ImportReport:
    """Bring the histories in `paths` into the runs folder.

    Everything is read before anything is written. Raises `UserError` where a path is no table and
    no folder of logs, or the runs folder cannot be written; a log that cannot be used is skipped.
    """
    report = ImportReport()
    sources = [read_source(path) for path in paths]
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


def _import(source: Source, runs: Path, now: float, report: ImportReport) -> None:
    table = with_base_rates(source.table).sort("run", "epoch", maintain_order=True)
    seen: dict[str, int] = {}
    existing = Existing(runs)
    said_more: dict[str, None] = {}
    completed = 0
    for chunk in chunks(table):
        drafts = []
        for history in histories_of(chunk, source.named, now):
            copies = seen[history.digest] = seen.get(history.digest, 0) + 1
            spec = history.spec(copies)
            run = history.name or spec.run
            known = existing.find(run, spec, history)
            if known is None and existing.has(run):
                reason = "there is another run of that name, with other numbers"
                report.skipped.append(Skipped(f"{source.path}: {run}", reason))
            elif known is None:
                drafts.append((run, spec, history.events))
            else:
                report.there += 1
                if known.lacks and complete_run(runs / known.name, known.events):
                    report.completed.append(known.name)
                    said_more |= dict.fromkeys(known.lacks)
                    completed += 1
        report.added += write_runs(runs, drafts)
    if completed:
        report.notes.append(
            f"{source.path}: {completed} of these runs were there without "
            f"{', '.join(said_more)}; now they have them"
        )
