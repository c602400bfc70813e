"""Drawing what a request asks for into a folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.figures import files
from postertui.figures.crew import Crew, Job, Outcome, default_size
from postertui.figures.picture import Hidden, Picture
from postertui.figures.source import open_source
from postertui.history.selection import History
from postertui.report.pictures import prepare_pictures
from postertui.report.request import Failure, Request, describe_command
from postertui.system.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from postertui.study import Variant


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
            lambda: History(open_source(table, variants).table, variants or {}),
            request,
            out,
            command,
            origin=origin,
            on_drawn=on_drawn,
        )


def draw_with(
    crew: Crew,
    load: Callable[[], History],
    request: Request,
    out: Path,
    command: str | None = None,
    *,
    origin: str = "",
    on_drawn: Callable[[Drawn | Failure], None] = lambda _: None,
) -> Report:
    """As `draw_report`, with a crew that is at work already while `load` reads the history."""
    pictures, failures = prepare_pictures(load(), request)
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
        try:
            if isinstance(outcome, str):
                raise UserError(outcome, exit_code=1)
            files.write_whole(files.csv_path(out, job.picture), csv)
            for kind, data in outcome.items():
                files.write_whole(files.image_path(out, job.picture, kind), data)
        except UserError as error:
            # The other figures are drawn all the same.
            failed.append(Failure(job.picture.name, str(error), 1))
            on_drawn(failed[-1])
            return
        result = _describe(job.picture, out, request, unchanged=False)
        drawn[place] = result
        on_drawn(result)

    crew.draw([job for _, job, _ in jobs], finish)
    return Report(tuple(d for d in drawn if d is not None), tuple(failed))


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
