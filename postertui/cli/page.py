"""`postertui report --html` and `--markdown`: the page around the figures."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.system.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from postertui.history.selection import History
    from postertui.report import DrawnFigure, ReportRequest
    from postertui.report.page.content import Chapter, PageFigure
    from postertui.report.page.files import PageKind
    from postertui.runs.spec import RunSpec


def write_pages(
    place: Path,
    history: History,
    drawn: Sequence[DrawnFigure],
    request: ReportRequest,
    out: Path,
    kinds: Sequence[PageKind],
) -> list[Path]:
    """Write the page of the history at `place` into `out`, around the figures that were drawn.

    It covers the runs that `request` chose, base among them. Raises `UserError` (exit code 3)
    where it chose none.
    """
    from postertui.history.schema import with_base_rates
    from postertui.report import describe_command
    from postertui.report.page.content import build_page
    from postertui.report.page.files import write_page
    from postertui.report.page.provenance import provenance
    from postertui.report.selection import select_rows
    from postertui.runs.pruning import kept_bytes

    table = with_base_rates(select_rows(history, request).narrowed.table)
    if table.is_empty():
        raise UserError("no finished epoch for a page", exit_code=3)
    # The folder of runs by its usual name needs no mention in a command.
    origin = "" if place == Path("runs") else place.name
    flags = [f"--{kind}" for kind in kinds]
    command = " ".join([describe_command(request, origin), shlex.join(flags)])
    page = build_page(
        table,
        title=", ".join(table["study"].drop_nulls().unique().sort()) or place.name,
        figures=[as_page_figure(figure) for figure in drawn],
        variants=history.variants,
        provenance=provenance(
            table, origin=place.name, specs=specs_of(place, table), commands=[command]
        ),
        metric=None if request.options.metric == "fscore" else f"test_{request.options.metric}",
        posters=poster_chapter(history, table),
        records=history.records,
        kept_bytes=None
        if history.folder is None
        else kept_bytes(history.folder, table["run"].unique()),
    )
    return write_page(page, out, kinds)


def poster_chapter(history: History, table: pl.DataFrame) -> Chapter | None:
    """Thumbnails of the posters that the runs get wrong; None where no run kept predictions."""
    from postertui.report.page.content import Chapter
    from postertui.report.page.posters import poster_galleries

    if history.folder is None:
        return None
    galleries, notes = poster_galleries(history.folder, table)
    if not galleries and not notes:
        return None
    return Chapter("posters", "Posters", [], notes=notes, galleries=galleries)


def specs_of(place: Path, table: pl.DataFrame) -> list[RunSpec]:
    """What the table's runs were to train, where `place` is their folder; none for a file."""
    from postertui.runs.run_names import run_folder
    from postertui.runs.spec import read_spec

    if not place.is_dir():
        return []
    specs = []
    for name in table["run"].unique().sort():
        try:
            specs.append(read_spec(run_folder(place, name)))
        except (UserError, OSError):
            continue  # a run that was deleted just now
    return specs


def as_page_figure(drawn: DrawnFigure) -> PageFigure:
    """A drawn figure for a page: the image that a browser can show, PNG before SVG.

    Raises `UserError` where there is none.
    """
    from postertui.report.page.content import PageFigure

    shown = [p for suffix in (".png", ".svg") for p in drawn.paths if p.suffix == suffix]
    if not shown:
        raise UserError("a page cannot show PDF; add --format png or --format svg")
    hidden = [f"Not drawn: {', '.join(map(str, drawn.hidden))}."] if drawn.hidden else []
    return PageFigure(drawn.name, drawn.title, shown[0], drawn.csv, (*hidden, *drawn.notes))
