"""Figures into a folder, each with the numbers it shows as CSV beside it.

`draw_report(table, request, out)` is all there is to it: the command line and the dashboard both
call it. It imports neither plotnine nor matplotlib until there is something to draw; figures that
are up to date cost a comparison.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.errors import UserError
from postertui.figures import files
from postertui.figures.catalogue import draw_published, figure_names
from postertui.figures.compare import (
    choose_variants,
    draw_comparison,
    draw_variant,
    parse_columns,
)
from postertui.figures.crew import Crew, Job, Outcome, default_size
from postertui.figures.files import DPI, Format
from postertui.figures.options import Options
from postertui.figures.picture import Hidden, Picture
from postertui.figures.source import Source, open_source

if TYPE_CHECKING:
    import polars as pl

    from postertui.study import Variant

MAX_PIXELS = 30_000


@dataclass(frozen=True)
class Request:
    """What to draw.

    `figures` are names of the 2017 study's, `everything` all of them as far as the table has the
    rows. Each text in `compare` names the columns of one comparison. With none of these, every
    variant gets a figure of its own with a panel per genre. `filter` (see `postertui.filters`),
    `variants` (names, globs or families) and `genres` narrow what is drawn.
    """

    figures: tuple[str, ...] = ()
    everything: bool = False
    compare: tuple[str, ...] = ()
    filter: str = ""
    variants: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ("png",)
    dpi: int = DPI
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        files.check_formats(self.formats)
        if not 10 <= self.dpi <= 2400:
            raise UserError(f"--dpi {self.dpi}: between 10 and 2400")
        for text in self.compare:
            parse_columns(text)
        for name in self.figures:
            if name not in figure_names():
                raise UserError(f"figure `{name}`: there are {', '.join(figure_names())}")


@dataclass(frozen=True)
class Drawn:
    """A figure that is now in the folder. `unchanged`: it was there already and is up to date."""

    name: str
    title: str
    paths: tuple[Path, ...]
    csv: Path
    hidden: tuple[Hidden, ...]
    notes: tuple[str, ...]
    unchanged: bool

    @property
    def path(self) -> Path:
        """The image, the first where there are several formats."""
        return self.paths[0]


@dataclass(frozen=True)
class Failure:
    """A figure that was asked for and is not there: `reason` is for people.

    `exit_code` as everywhere: 1 it could not be drawn, 3 the table has nothing to show in it.
    """

    name: str
    reason: str
    exit_code: int


@dataclass(frozen=True)
class Report:
    """What came of a request: figures in the order asked for, and those that are not there."""

    drawn: tuple[Drawn, ...]
    failures: tuple[Failure, ...] = ()


def draw_report(
    table: pl.DataFrame,
    request: Request,
    out: Path,
    command: str | None = None,
    *,
    origin: str = "",
    variants: Mapping[str, Variant] | None = None,
    workers: int | None = None,
    on_drawn: Callable[[Drawn | Failure], None] = lambda _: None,
) -> Report:
    """Draw what `request` asks for of a history table into the folder `out`.

    `command` is what goes into the images' metadata; without it, the command line that draws that
    one figure from `origin`, so that the same input gives the same bytes wherever they are put.
    `variants` are hyper-parameters by name, where they are known better than the table tells.
    `workers` processes draw beside each other (default: one per processor, none for one figure).
    `on_drawn` is called as each figure ends. Nothing half-written is left behind, also on
    interruption. Raises `UserError`: exit code 3 where nothing matches, 2 for a wrong request.
    """
    size = default_size() if workers is None else workers
    is_single = not request.everything and len(request.figures) + len(request.compare) == 1
    with Crew(0 if is_single and workers is None else size) as crew:
        return draw_with(
            crew,
            lambda: (table, variants),
            request,
            out,
            command,
            origin=origin,
            on_drawn=on_drawn,
        )


def draw_with(
    crew: Crew,
    load: Callable[[], tuple[pl.DataFrame, Mapping[str, Variant] | None]],
    request: Request,
    out: Path,
    command: str | None = None,
    *,
    origin: str = "",
    on_drawn: Callable[[Drawn | Failure], None] = lambda _: None,
) -> Report:
    """As `draw_report`, with a crew that is at work already while `load` reads the table."""
    table, variants = load()
    pictures, failures = prepare_pictures(table, request, variants)
    for failure in failures:
        on_drawn(failure)
    files.make_folder(out)
    drawn: list[Drawn | None] = [None] * len(pictures)
    failed = list(failures)
    jobs: list[tuple[int, Job, bytes]] = []
    for place, (picture, part) in enumerate(pictures):
        csv = files.csv_bytes(picture)
        digest = files.picture_digest(picture, csv, request.dpi)
        stale = [
            kind
            for kind in request.formats
            if not files.is_current(files.image_path(out, picture, kind), digest)
        ]
        if stale:
            line = command or describe_command(part, origin)
            facts = files.picture_facts(picture, csv, digest, line)
            jobs.append((place, Job(picture, tuple(stale), facts, request.dpi), csv))
            continue
        if not _has_content(files.csv_path(out, picture), csv):
            files.write_whole(files.csv_path(out, picture), csv)
        drawn[place] = _describe(picture, out, request, unchanged=True)
        on_drawn(_describe(picture, out, request, unchanged=True))

    def finish(number: int, outcome: Outcome) -> None:
        place, job, csv = jobs[number]
        if isinstance(outcome, str):
            failed.append(Failure(job.picture.name, outcome, 1))
            on_drawn(failed[-1])
            return
        files.write_whole(files.csv_path(out, job.picture), csv)
        for kind, data in outcome.items():
            files.write_whole(files.image_path(out, job.picture, kind), data)
        result = _describe(job.picture, out, request, unchanged=False)
        drawn[place] = result
        on_drawn(result)

    crew.draw([job for _, job, _ in jobs], finish)
    return Report(tuple(d for d in drawn if d is not None), tuple(failed))


def prepare_pictures(
    table: pl.DataFrame, request: Request, variants: Mapping[str, Variant] | None = None
) -> tuple[list[tuple[Picture, Request]], list[Failure]]:
    """The pictures of a request, each with the request for it alone, and what there is none of.

    Raises `UserError` (exit code 3) where there is no picture at all.
    """
    source = open_source(table, variants)
    if source.table.is_empty():
        raise UserError("no finished epoch to draw", exit_code=3)
    if request.filter.strip():
        from postertui.filters import parse

        source = replace(source, table=parse(request.filter).select(source.table))
        if source.table.is_empty():
            raise UserError(f"filter `{request.filter}`: no run matches", exit_code=3)
    chosen = choose_variants(source, request.variants)
    genres = _choose_genres(source, request.genres)
    found: list[tuple[Picture, Request]] = []
    failures: list[Failure] = []
    alone = replace(request, figures=(), everything=False, compare=())

    def add(name: str, part: Request, make: Callable[[], Sequence[Picture]]) -> None:
        try:
            found.extend((_check_size(p, request.dpi), part) for p in make())
        except UserError as error:
            if error.exit_code != 3:
                raise
            failures.append(Failure(name, str(error), 3))

    names = figure_names() if request.everything else request.figures
    narrowed = _narrow(source, chosen, genres)
    for name in dict.fromkeys(names):
        add(
            name,
            replace(alone, figures=(name,)),
            lambda name=name: [draw_published(name, narrowed, request.options)],  # type: ignore[misc]
        )
    for text in dict.fromkeys(request.compare):
        add(
            text,
            replace(alone, compare=(text,)),
            lambda text=text: draw_comparison(  # type: ignore[misc]
                source, parse_columns(text), request.options, variants=chosen, genres=genres
            ),
        )
    if not names and not request.compare:
        for name in chosen or choose_variants(source, ["*"]):
            add(
                name,
                replace(alone, variants=(name,)),
                lambda name=name: [draw_variant(source, name, request.options, genres)],  # type: ignore[misc]
            )
    if not found:
        raise UserError("; ".join(f.reason for f in failures) or "nothing to draw", exit_code=3)
    return found, failures


def describe_command(request: Request, origin: str = "") -> str:
    """The command line that draws `request`, without where the table and the figures are."""
    words = ["postertui", "report"]
    if request.filter:
        words.append(request.filter)
    many = {
        "--figure": request.figures,
        "--compare": request.compare,
        "--variant": request.variants,
        "--genre": request.genres,
    }
    for flag, values in many.items():
        for value in values:
            words += [flag, value]
    if request.everything:
        words.append("--all")
    if origin:
        words += ["--from", origin]
    options, usual = request.options, Options()
    if options.strict:
        words.append("--strict-published")
    if options.palette != usual.palette:
        words += ["--palette", options.palette]
    if options.baselines != usual.baselines:
        words += ["--baseline", ",".join(options.baselines) or "none"]
    if options.metric != usual.metric:
        words += ["--metric", options.metric]
    if options.seed_lines:
        words.append("--seed-lines")
    for flag, side in (("--width", options.width), ("--height", options.height)):
        if side is not None:
            words += [flag, f"{side:g}"]
    if request.dpi != DPI:
        words += ["--dpi", str(request.dpi)]
    return shlex.join(words)


def _choose_genres(source: Source, wanted: Sequence[str]) -> tuple[str, ...]:
    known = {g.lower(): g for g in source.table["genre"].unique().to_list()}
    for genre in wanted:
        if genre.lower() not in known:
            there = ", ".join(sorted(known.values()))
            raise UserError(f"--genre {genre}: no such run; there are {there}", exit_code=3)
    return tuple(known[g.lower()] for g in wanted)


def _narrow(source: Source, variants: Sequence[str], genres: Sequence[str]) -> Source:
    import polars as pl

    table = source.table
    if variants:
        table = table.filter(pl.col("name").is_in([*variants, source.base.name]))
    if genres:
        table = table.filter(pl.col("genre").is_in(list(genres)))
    return replace(source, table=table)


def _check_size(picture: Picture, dpi: int) -> Picture:
    if max(picture.size) * dpi > MAX_PIXELS:
        width, height = picture.size
        raise UserError(
            f"{picture.name}: {width:g} by {height:g} inches at {dpi} dpi is more than "
            f"{MAX_PIXELS} pixels a side; give a smaller --dpi, --width or --height"
        )
    return picture


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _describe(picture: Picture, out: Path, request: Request, *, unchanged: bool) -> Drawn:
    return Drawn(
        picture.name,
        picture.title,
        tuple(files.image_path(out, picture, kind) for kind in request.formats),
        files.csv_path(out, picture),
        picture.hidden,
        picture.notes,
        unchanged,
    )
