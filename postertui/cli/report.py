"""`postertui report`: figures from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.cli.options import check_out, from_option, out_option, print_json, runs_option
from postertui.cli.reading import few_threads, read_history
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.report import DrawnFigure, FigureFailure, ReportRequest
    from postertui.report.page.files import PageKind


@click.command("report")
@click.argument("filter_words", metavar="[FILTER]", nargs=-1)
@click.option(
    "--compare",
    "compare",
    multiple=True,
    metavar="COLUMN",
    help='Compare base with every variant that differs only in this: Regularizer, "FC1 + FC2", '
    "batch, seed, variant, loss …",
)
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="By name: l1, models …")
@click.option("--all", "everything", is_flag=True, help="All fifteen figures of 2017.")
@click.option("--variant", "variants", multiple=True, help="Only these: names, globs, families.")
@click.option("--genre", "genres", multiple=True, help="Only these genres.")
@from_option
@runs_option
@out_option
@click.option(
    "--format", "formats", multiple=True, default=("png",), show_default=True, help="png, svg, pdf."
)
@click.option("--dpi", type=int, default=150, show_default=True)
@click.option("--width", type=float, help="In inches; by default it follows the panels.")
@click.option("--height", type=float, help="In inches; the same.")
@click.option("--palette", default="hue", show_default=True, help="hue (as R) or okabe-ito.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    default=("stratified",),
    show_default=True,
    help="stratified (the base rate), always (the always-yes F), none; joined by commas.",
)
@click.option("--metric", default="fscore", show_default=True, help="fscore_soft, accuracy, loss …")
@click.option("--seed-lines", is_flag=True, help="Single seeds as thin lines behind their mean.")
@click.option("--strict-published", is_flag=True, help="Exactly what R drew, and no more.")
@click.option("--name", default="", help="What the files of one comparison are called.")
@click.option(
    "--html", "as_html", is_flag=True, help="Also write a page with everything: index.html."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Also write the page as report.md.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report_command(
    filter_words: tuple[str, ...],
    compare: tuple[str, ...],
    figures: tuple[str, ...],
    everything: bool,
    variants: tuple[str, ...],
    genres: tuple[str, ...],
    name: str,
    source: Path | None,
    runs: Path,
    out: Path,
    formats: tuple[str, ...],
    dpi: int,
    width: float | None,
    height: float | None,
    palette: str,
    baselines: tuple[str, ...],
    metric: str,
    seed_lines: bool,
    strict_published: bool,
    as_html: bool,
    as_markdown: bool,
    as_json: bool,
) -> int:
    """Draw figures into reports/, each with the numbers it shows as CSV beside it.

    With neither --compare nor --figure nor --all, every variant gets a figure of its own. What
    a figure does not show is counted and printed. A figure that is up to date is left alone.
    """
    from postertui.figures.options import FigureOptions
    from postertui.report import ReportRequest
    from postertui.system.gc_pause import gc_paused

    check_out(out, runs)
    wanted: dict[PageKind, bool] = {"html": as_html, "markdown": as_markdown}
    pages = [kind for kind, is_wanted in wanted.items() if is_wanted]
    kinds = tuple(dict.fromkeys(f for text in formats for f in text.split(",")))
    if pages and not {"png", "svg"} & set(kinds):
        raise UserError("a page cannot show PDF; add --format png or --format svg")
    if pages and everything:
        figures = (*figures, "models")  # the study's own dot plot belongs on its page
    chosen = dict.fromkeys(w for text in baselines for w in text.split(",") if w != "none")
    request = ReportRequest(
        figures=figures,
        everything=everything,
        compare=compare,
        filter=" ".join(filter_words),
        variants=variants,
        genres=genres,
        name=name,
        formats=kinds,  # type: ignore[arg-type]
        dpi=dpi,
        options=FigureOptions(
            strict=strict_published,
            palette=palette,  # type: ignore[arg-type]
            baselines=tuple(chosen),  # type: ignore[arg-type]
            seed_lines=seed_lines,
            metric=metric,
            width=width,
            height=height,
        ),
    )
    place = source or runs
    with few_threads(place), gc_paused(freeze=True):
        return draw_history(place, out, request, as_json=as_json, pages=pages)


def draw_history(
    place: Path,
    out: Path,
    request: ReportRequest,
    *,
    as_json: bool = False,
    pages: Sequence[PageKind] = (),
) -> int:
    """Draw `request` of the table or runs at `place`, print what came of it; the exit code.

    `pages` are the kinds of page to write around the figures (see `postertui.report.page`).
    """
    from postertui.figures.render_pool import RenderPool, default_worker_count
    from postertui.report import FigureFailure, ReportResult, draw_in_pool

    load = cache(lambda: read_history(place))

    is_many = request.everything or len(request.figures) + len(request.compare) != 1

    def show(result: DrawnFigure | FigureFailure) -> None:
        if isinstance(result, FigureFailure):
            # A figure of `--all` that the table has no rows for is no error, only not there.
            click.echo(f"postertui: not drawn: {result.reason}", err=True)
        elif not as_json:
            click.echo("\n".join(describe_drawn(result)))

    try:
        with RenderPool(default_worker_count() if is_many else 0) as pool:
            report = draw_in_pool(
                pool,
                load,
                request,
                out,
                origin="" if place == Path("runs") else place.name,
                on_drawn=show,
            )
    except UserError as error:
        if not pages or error.exit_code != 3:
            raise
        # A page has much to say without a figure.
        report = ReportResult((), (FigureFailure("", str(error), 3),))
        show(report.failures[0])
    if pages:
        from postertui.cli.page import write_pages

        for path in write_pages(place, load(), report.drawn, request, out, pages):
            click.echo(path, err=as_json)
    if as_json:
        print_json([to_record(d) for d in report.drawn])
    codes = [f.exit_code for f in report.failures if f.exit_code == 1 or not request.everything]
    return min(codes, default=0)


def describe_drawn(drawn: DrawnFigure) -> list[str]:
    """A figure in a line or a few: its files, what they do not show, what is to be known."""
    files = ", ".join(map(str, drawn.paths))
    lines = [f"{files}  unchanged" if drawn.unchanged else files]
    if drawn.hidden:
        lines.append(f"  not drawn: {', '.join(map(str, drawn.hidden))}")
    return lines + [f"  {note}" for note in drawn.notes]


def to_record(drawn: DrawnFigure) -> dict[str, Any]:
    """What `report --json` says of a figure."""
    return {
        "name": drawn.name,
        "title": drawn.title,
        "files": [str(p) for p in drawn.paths],
        "csv": str(drawn.csv),
        "unchanged": drawn.unchanged,
        "not_drawn": [{"split": h.split, "cause": h.cause, "count": h.count} for h in drawn.hidden],
        "notes": list(drawn.notes),
    }
