"""What is sent to the terminal: only the cells that look different, in as few bytes as it takes.

Textual sends a changed stretch of a line from the start of its widget on, and names each style in
full and takes it back again. Over a slow link that is most of what is sent. Here a copy of what the
terminal shows is kept, and the difference is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.color import Color, ColorSystem
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

#: A character and its style; the second half of a wide character is an empty one.
Cell = tuple[str, Style]

#: Unchanged cells between two changed ones are sent if they are fewer: moving on costs more.
GAP = 8

_PLAIN = Style()


class ScreenDiff:
    """What the terminal shows, line by line, as far as that is known."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Cell]] = {}
        self._size: tuple[int, int] | None = None

    def invalidate(self) -> None:
        """The terminal may show anything: send whole lines from now on."""
        self._lines.clear()

    def diff(
        self, update: RenderableType | None, size: tuple[int, int], colours: ColorSystem
    ) -> RenderableType | None:
        """The same update as a difference; what is no update of the screen stays as it is."""
        if size != self._size:
            self._size = size
            self.invalidate()
        if isinstance(update, LayoutUpdate):
            x = update.region.x
            lines = [
                (y, x, cells_of(strips)) for y, strips in enumerate(update.strips, update.region.y)
            ]
            return TerminalUpdate(self._send(lines, colours))
        if isinstance(update, ChopsUpdate):
            return TerminalUpdate(self._send(_stretches(update), colours))
        return update

    def _send(self, stretches: Iterable[tuple[int, int, list[Cell]]], colours: ColorSystem) -> str:
        pen = Pen(colours)
        width = self._size[0] if self._size else 0
        for y, x, cells in stretches:
            line = self._lines.get(y)
            if line is None or len(line) < x + len(cells):
                pen.draw(y, x, cells)
                if x == 0 and len(cells) >= width:
                    self._lines[y] = cells
                continue
            for start, stop in changed(line[x : x + len(cells)], cells):
                pen.draw(y, x + start, cells[start:stop])
            line[x : x + len(cells)] = cells
        return pen.lift()


class TerminalUpdate(CompositorUpdate):
    """An update that is ready to be written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._text

    def render_segments(self, console: Console) -> str:
        return self._text


def _stretches(update: ChopsUpdate) -> Iterable[tuple[int, int, list[Cell]]]:
    """(line, column, cells) of each part of the update, cut to what is asked for at both ends."""
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            start, stop = max(x, x1), min(end, x2)
            part = strip if (start, stop) == (x, end) else strip.crop(start - x, stop - x)
            yield y, start, cells_of((part,))


def cells_of(strips: Iterable[Strip]) -> list[Cell]:
    """The strips as cells, one per column of the terminal."""
    cells: list[Cell] = []
    for strip in strips:
        for text, style, _ in strip:
            style = style or _PLAIN
            blank = (" ", _blank(style))
            for char in text:
                if char == " ":
                    cells.append(blank)
                    continue
                width = 1 if char.isascii() else get_character_cell_size(char)
                if width:
                    cells.append((char, style))
                    if width == 2:
                        cells.append(("", style))
                elif cells:
                    before, its = cells[-1]
                    cells[-1] = (before + char, its)
    return cells


def changed(before: Sequence[Cell], after: Sequence[Cell]) -> list[tuple[int, int]]:
    """The stretches (from, up to) in which two lines differ, close ones taken together."""
    stretches: list[tuple[int, int]] = []
    start = stop = -1
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if old is new or old == new:
            continue
        if start < 0:
            start = i
        elif i - stop > GAP:
            stretches.append((start, stop))
            start = i
        stop = i + 1
    if start >= 0:
        stretches.append((start, stop))
    # Half of a wide character cannot be drawn alone.
    return [(_widen(before, after, s), e) for s, e in stretches]


def _widen(before: Sequence[Cell], after: Sequence[Cell], start: int) -> int:
    while start > 0 and (not after[start][0] or not before[start][0]):
        start -= 1
    return start


class Pen:
    """Writes cells one after the other, with only what changes from one style to the next."""

    def __init__(self, colours: ColorSystem) -> None:
        self._colours = colours
        self._style: Style | None = None
        self._parts: list[str] = []

    def draw(self, y: int, x: int, cells: Sequence[Cell]) -> None:
        """Put `cells` into line `y` from column `x` on."""
        parts, last = self._parts, self._style
        parts.append(f"\x1b[{y + 1};{x + 1}H")
        for char, style in cells:
            # A blank shows nothing of its style but the background.
            if style is not last and (char != " " or last is None or _blank(last) != style):
                parts.append(_turn(last, style, self._colours))
                last = style
            parts.append(char)
        self._style = last

    def lift(self) -> str:
        """What was written, as the terminal takes it; the next thing starts without a style."""
        if self._style is not None:
            self._parts.append("\x1b[0m")
        return "".join(self._parts)


@lru_cache(maxsize=8192)
def _turn(before: Style | None, after: Style, colours: ColorSystem) -> str:
    """The sequence after which text has the style `after`, given that it had `before`."""
    if before is None or _attributes(before) != _attributes(after):
        start, _, _ = after.render("|", color_system=colours).partition("|")
        return start.replace("\x1b[", "\x1b[0;", 1) if start else "\x1b[0m"
    codes = [
        *_colour(before.color, after.color, colours, foreground=True),
        *_colour(before.bgcolor, after.bgcolor, colours, foreground=False),
    ]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _attributes(style: Style) -> tuple[bool, ...]:
    return (
        bool(style.bold), bool(style.dim), bool(style.italic), bool(style.underline),
        bool(style.blink), bool(style.blink2), bool(style.reverse), bool(style.conceal),
        bool(style.strike), bool(style.underline2), bool(style.frame), bool(style.encircle),
        bool(style.overline),
    )  # fmt: skip


def _colour(
    before: Color | None, after: Color | None, colours: ColorSystem, *, foreground: bool
) -> tuple[str, ...]:
    if before == after:
        return ()
    if after is None:
        return ("39" if foreground else "49",)
    return after.downgrade(colours).get_ansi_codes(foreground)


@lru_cache(maxsize=4096)
def _blank(style: Style) -> Style:
    """What a blank shows of `style`."""
    if style.underline or style.reverse or style.strike or style.overline or style.underline2:
        return style
    return Style(bgcolor=style.bgcolor)
