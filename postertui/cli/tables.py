"""`postertui import` and `postertui export`: histories from files and into one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.cli.analysis_options import matching
from postertui.cli.interruption import cleaned_up_when_ended
from postertui.cli.options import (
    PATH,
    check_out,
    from_option,
    json_option,
    print_json,
    runs_option,
)
from postertui.cli.reading import read_history
from postertui.system.environment import variables_set
from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused
from postertui.system.text import pluralize, strip_control_chars

if TYPE_CHECKING:
    from postertui.importer import ImportReport

#: How polars' allocator, jemalloc, works. By default it keeps freed memory for a second and more,
#: which is a third of what the import of a large table uses.
_MALLOC = "_RJEM_MALLOC_CONF"

#: How many skipped histories are named on the screen; `--json` has all.
_NAMED = 50


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PATH)
@click.option("--genre", help="The genre of histories that do not say theirs.")
@click.option("--variant", help="The variant of histories that do not say theirs.")
@click.option("--seed", type=int, help="The seed of histories that do not say theirs.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=NAME",
    help="What the file calls a column of the history table: train_fscore=f1_score.",
)
@click.option(
    "--map", "mapping_file", type=PATH, help="A TOML file that says all this, for several files."
)
@click.option(
    "--validation",
    type=click.Choice(["test", "val"]),
    help="The cohort of metrics called val_…  [default: test]",
)
@click.option("--encoding", help="The encoding of tables, where it is not Unicode: cp1252 …")
@runs_option
@json_option
def import_command(
    paths: tuple[Path, ...],
    columns: tuple[str, ...],
    mapping_file: Path | None,
    encoding: str | None,
    runs: Path,
    as_json: bool,
    **settings: Any,
) -> int:
    """Read histories of any training program into runs.

    PATH is a history table, or a file or folder of histories: logs of 2017, a printed or JSON
    `History` of Keras, a CSVLogger's or any table of metrics by epoch, exports of W&B and MLflow,
    TensorBoard's event files. A history that exists already, from whichever source, stays one run
    and gets this source's further columns. What cannot be used is named and skipped; the exit
    code is 1 then.
    """
    with variables_set({_MALLOC: os.environ.get(_MALLOC, "dirty_decay_ms:100,muzzy_decay_ms:0")}):
        from postertui.importer import import_paths
    from postertui.importer.mapping import parse_columns, read_mapping

    mapping = read_mapping(mapping_file, {**settings, "columns": parse_columns(columns)})
    with gc_paused(), cleaned_up_when_ended():
        report = import_paths(paths, runs, mapping=mapping, encoding=encoding)
    _say(report.notes)
    skipped = [f"skipped {s.what}: {s.reason}" for s in report.skipped]
    _say(skipped[:_NAMED])
    if len(skipped) > _NAMED:
        _say([f"and {len(skipped) - _NAMED} more skipped; --json names all"])
    if as_json:
        print_json(_as_json(report, runs))
    else:
        click.echo(_in_words(report, runs))
    return 1 if report.skipped else 0


@click.command("export")
@click.argument("query", metavar="[FILTER]", nargs=-1)
@click.option(
    "-o",
    "--output",
    "output",
    type=PATH,
    required=True,
    help="The table to write: .tsv, .csv or .parquet; a folder for --tensorboard.",
)
@click.option("--wide", is_flag=True, help="One row per run, for a spreadsheet (.csv or .tsv).")
@click.option("--tensorboard", is_flag=True, help="One event file per run, for TensorBoard.")
@from_option
@runs_option
@json_option
def export_command(
    query: tuple[str, ...],
    output: Path,
    wide: bool,
    tensorboard: bool,
    source: Path | None,
    runs: Path,
    as_json: bool,
) -> None:
    """Write the history table to a file, of all runs or of those that FILTER accepts.

    A .tsv opens in R with read.table(header=TRUE, sep="\\t"); numbers are written exactly.
    """
    from postertui.history.writing import check_target, write_table

    check_out(output, runs, "-o")
    if wide and tensorboard:
        raise click.UsageError("--wide is a table and --tensorboard none; give one")
    if wide and output.suffix.lower() not in (".csv", ".tsv"):
        raise UserError(f"{output}: name a wide table .csv or .tsv")
    if not tensorboard:
        check_target(output)
    elif output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; name a folder for TensorBoard's event files")
    table = matching(read_history(source or runs), query)
    count, rows = table["run"].n_unique(), table.height
    with cleaned_up_when_ended():
        if tensorboard:
            from postertui.history.tensorboard import write_event_files

            write_event_files(table, output)
        elif wide:
            from postertui.history.wide import write_wide

            rows = write_wide(table, output)
        else:
            write_table(table, output)
    if as_json:
        document = {"file": str(output), "runs": count, "rows": rows}
        print_json(document)
    else:
        click.echo(f"{output}: {pluralize(count, 'run')}, {pluralize(rows, 'row')}")


def _in_words(report: ImportReport, runs: Path) -> str:
    parts = [f"{pluralize(len(report.added), 'run')} added to {runs}"]
    if report.existing:
        more = f" ({len(report.completed):,} completed)" if report.completed else ""
        parts.append(f"{report.existing:,} there already{more}")
    if report.skipped:
        parts.append(f"{len(report.skipped):,} skipped")
    return ", ".join(parts)


def _as_json(report: ImportReport, runs: Path) -> dict[str, object]:
    return {
        "runs": str(runs),
        "added": report.added,
        "there": report.existing,
        "completed": report.completed,
        "skipped": [{"what": s.what, "reason": s.reason} for s in report.skipped],
        "notes": report.notes,
    }


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(" ".join(strip_control_chars(line).split()), err=True)
