"""Drawing what a request asks for into a folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from postertui.figures import files
from postertui.figures.picture import Hidden, Picture
from postertui.figures.render_pool import RenderJob, RenderOutcome, RenderPool
from postertui.history.selection import History
from postertui.report.pictures import prepare_pictures
from postertui.report.request import FigureFailure, ReportRequest, describe_command
from postertui.system.errors import UserError


@dataclass(frozen=True)
class DrawnFigure:
    """A figure in the folder. `unchanged`: an up-to-date file was there before."""

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
class ReportResult:
    """The result of a request: figures in the order requested, and those that failed."""

    drawn: tuple[DrawnFigure, ...]
    failures: tuple[FigureFailure, ...] = ()


def draw_in_pool(
    pool: RenderPool,
    load: Callable[[], History],
    request: ReportRequest,
    out: Path,
    *,
    origin: str = "",
    on_drawn: Callable[[DrawnFigure | FigureFailure], None] = lambda _: None,
) -> ReportResult:
    """Draw what is asked for of a history into a folder.

    Nothing half-written is left behind, also on interruption. An image's metadata have the command
    line that draws that one figure, so that the same input gives the same bytes wherever they are
    put.

    Parameters
    ----------
    pool
        Where all is to be drawn, it starts while `load` reads. In a folder with images it waits for
        the second that is not up to date: mostly there is none.
    load
        Reads the history; called once.
    request
        Which figures and comparisons, of what, and how they look.
    out
        The folder; made where it is missing.
    origin
        What the table is of, as a command line names it.
    on_drawn
        Called as each figure ends.

    Raises
    ------
    UserError
        With exit code 3 where nothing matches, 2 for a wrong request, and what `load` raises.
    """
    if not any(path for kind in request.formats for path in out.glob(f"*.{kind}")):
        pool.start()
    pictures, failures = prepare_pictures(load(), request)
    for failure in failures:
        on_drawn(failure)
    files.create_folder(out)
    drawn: list[DrawnFigure | None] = [None] * len(pictures)
    failed = list(failures)
    jobs: list[tuple[int, RenderJob, bytes]] = []
    for place, (picture, part) in enumerate(pictures):
        csv = files.csv_bytes(picture)
        digest = files.picture_digest(picture, csv, request.dpi)
        stale = [
            kind
            for kind in request.formats
            if not files.is_current(files.image_path(out, picture, kind), digest)
        ]
        if stale:
            facts = files.picture_facts(picture, csv, digest, describe_command(part, origin))
            jobs.append((place, RenderJob(picture, tuple(stale), facts, request.dpi), csv))
            if len(jobs) == 2:
                pool.start()
            continue
        if not _has_content(files.csv_path(out, picture), csv):
            files.write_file(files.csv_path(out, picture), csv)
        drawn[place] = _describe(picture, out, request, unchanged=True)
        on_drawn(_describe(picture, out, request, unchanged=True))

    def finish(number: int, outcome: RenderOutcome) -> None:
        place, job, csv = jobs[number]
        try:
            if isinstance(outcome, str):
                raise UserError(outcome, exit_code=1)
            files.write_file(files.csv_path(out, job.picture), csv)
            for kind, data in outcome.items():
                files.write_file(files.image_path(out, job.picture, kind), data)
        except UserError as error:
            # The other figures are drawn all the same.
            failed.append(FigureFailure(job.picture.name, str(error), 1))
            on_drawn(failed[-1])
            return
        result = _describe(job.picture, out, request, unchanged=False)
        drawn[place] = result
        on_drawn(result)

    pool.draw([job for _, job, _ in jobs], finish)
    return ReportResult(tuple(d for d in drawn if d is not None), tuple(failed))


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _describe(
    picture: Picture, out: Path, request: ReportRequest, *, unchanged: bool
) -> DrawnFigure:
    return DrawnFigure(
        picture.name,
        picture.title,
        tuple(files.image_path(out, picture, kind) for kind in request.formats),
        files.csv_path(out, picture),
        picture.hidden,
        picture.notes,
        unchanged,
    )
