"""What to draw, and the command line that says so."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from postertui.figures import files
from postertui.figures.compare import parse_compared
from postertui.figures.files import DPI, Format
from postertui.figures.options import FigureOptions
from postertui.report.catalogue import FIGURES
from postertui.system.errors import UserError

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class ReportRequest:
    """What to draw.

    `figures` are names of `FIGURES`, `everything` adds the fifteen of the 2017 study as far as the
    table has the rows. Each text in `compare` names the columns of one comparison. With none of
    these, every variant gets a figure of its own with a panel per genre. `filter` (see
    `postertui.filters`), `variants` (names, globs or families) and `genres` narrow what is drawn.
    `name` is what the files of a single comparison are called, instead of after its columns.
    """

    figures: tuple[str, ...] = ()
    everything: bool = False
    compare: tuple[str, ...] = ()
    filter: str = ""
    variants: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    name: str = ""
    formats: tuple[Format, ...] = ("png",)
    dpi: int = DPI
    options: FigureOptions = field(default_factory=FigureOptions)

    def __post_init__(self) -> None:
        files.check_formats(self.formats)
        if not 10 <= self.dpi <= 2400:
            raise UserError(f"--dpi {self.dpi}: between 10 and 2400")
        for text in self.compare:
            parse_compared(text)
        if self.name and (len(self.compare) != 1 or self.figures or self.everything):
            raise UserError("--name: for a single --compare; other figures have their names")
        if self.name and not _FILE_NAME.fullmatch(self.name):
            raise UserError(f"--name {self.name!r}: letters, digits, `.`, `-` and `_`, at most 100")
        for name in self.figures:
            if name not in FIGURES:
                raise UserError(f"figure `{name}`: there are {', '.join(FIGURES)}")


@dataclass(frozen=True)
class FigureFailure:
    """A requested figure that was not drawn; `reason` is one line for the screen.

    `exit_code` as everywhere: 1 it could not be drawn, 3 the table has nothing to show in it.
    """

    name: str
    reason: str
    exit_code: int


def describe_command(request: ReportRequest, origin: str = "") -> str:
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
    if request.name:
        words += ["--name", request.name]
    if origin:
        words += ["--from", origin]
    options, usual = request.options, FigureOptions()
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
