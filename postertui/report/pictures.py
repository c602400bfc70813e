"""The pictures that a request asks for of a history table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from postertui.figures.compare import draw_comparison, draw_variant, match_variants, parse_compared
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Picture
from postertui.figures.published import published_names
from postertui.figures.source import open_source
from postertui.report.catalogue import draw_named
from postertui.report.request import FigureFailure, ReportRequest
from postertui.report.selection import select_rows
from postertui.system.errors import UserError

if TYPE_CHECKING:
    import plotnine
    import polars as pl

    from postertui.history.selection import History

MAX_PIXELS = 30_000

_NONE_OF_2017 = (
    "--all draws the figures of the study of 2017, and the table has no run of their variants; "
    "without --all each variant is drawn, and --compare variant compares them"
)


def draw_figure(
    name: str, table: pl.DataFrame, strict: bool = False, **options: Any
) -> plotnine.ggplot:
    """One of the figures (see `postertui.report.FIGURES`) of a history table.

    Parameters
    ----------
    name
        The figure's name.
    table
        The history table.
    strict
        Draw exactly what R drew; without it a figure may show more, never less.
    **options
        Those of `postertui.figures.options.FigureOptions`: `palette`, `baselines`, `seed_lines`,
        `metric`, `width`, `height`.

    Raises
    ------
    UserError
        For an unknown name or option, and where the table has nothing to show.
    """
    chosen = FigureOptions(strict=strict, **options)
    picture = draw_named(name, open_source(table), chosen)
    from postertui.figures.render import to_ggplot

    return to_ggplot(picture)


def prepare_pictures(
    history: History, request: ReportRequest
) -> tuple[list[tuple[Picture, ReportRequest]], list[FigureFailure]]:
    """The pictures of a request, each with the request for it alone, and what there is none of.

    Raises
    ------
    UserError
        With exit code 3 where there is no picture at all.
    """
    rows = select_rows(history, request)
    source, chosen, genres = rows.matched, rows.variants, rows.genres
    request.options.check_columns(source.table.columns)
    prepared: list[tuple[Picture, ReportRequest]] = []
    failures: list[FigureFailure] = []
    alone = replace(request, figures=(), everything=False, compare=(), name="")

    def add(name: str, part: ReportRequest, make: Callable[[str], Sequence[Picture]]) -> None:
        try:
            prepared.extend((_checked(p, request.dpi), part) for p in make(name))
        except UserError as error:
            if error.exit_code != 3:
                raise
            failures.append(FigureFailure(name, str(error), 3))

    def figure(name: str) -> list[Picture]:
        return [draw_named(name, rows.narrowed, request.options, history.folder)]

    def comparison(text: str) -> list[Picture]:
        return draw_comparison(
            source,
            parse_compared(text),
            request.options,
            variants=chosen,
            genres=genres,
            name=request.name,
        )

    def variant(name: str) -> list[Picture]:
        return [draw_variant(source, name, request.options, genres)]

    names = (*(published_names() if request.everything else ()), *request.figures)
    for name in dict.fromkeys(names):
        add(name, replace(alone, figures=(name,)), figure)
    for text in dict.fromkeys(request.compare):
        add(text, replace(alone, compare=(text,), name=request.name), comparison)
    if not names and not request.compare:
        for name in chosen or match_variants(source, ["*"]):
            add(name, replace(alone, variants=(name,)), variant)
    if not prepared:
        if request.everything and not (request.figures or request.compare):
            raise UserError(_NONE_OF_2017, exit_code=3)
        raise UserError("; ".join(f.reason for f in failures) or "nothing to draw", exit_code=3)
    return prepared, failures


def _checked(picture: Picture, dpi: int) -> Picture:
    """The picture, with a note where letters of it cannot be drawn. Raises as `_check_size`."""
    _check_size(picture, dpi)
    if all(word.isascii() for word in picture.texts):
        return picture
    from postertui.figures.fonts import missing_note

    note = missing_note(picture.texts)
    return replace(picture, notes=(*picture.notes, note)) if note else picture


def _check_size(picture: Picture, dpi: int) -> None:
    if max(picture.size) * dpi > MAX_PIXELS:
        width, height = picture.size
        raise UserError(
            f"{picture.name}: {width:g} by {height:g} inches at {dpi} dpi is more than "
            f"{MAX_PIXELS} pixels a side; give a smaller --dpi, --width or --height"
        )
