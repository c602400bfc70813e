"""What reaches the terminal: a terminal that obeys shows what was drawn, however little is sent."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from postertui.dashboard.terminal.output_diff import ScreenDiff, TerminalUpdate

WIDTH, HEIGHT = 12, 3
STYLES = [
    Style(),
    Style(color="#ff0000"),
    Style(color="#ff0000", bgcolor="#000010"),
    Style(color="#00ff00", bgcolor="#000010"),
    Style(bgcolor="#303030"),
    Style(bold=True, color="#00ff00"),
    Style(underline=True, bgcolor="#303030"),
    Style(reverse=True),
]
_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([Hm])|(.)", re.DOTALL)

Line = list[tuple[str, Style]]  # characters that fill WIDTH columns
PlotSettings = tuple[str, str]  # what a column shows, and the style it was sent with


class Terminal:
    """Understands what is needed: go there, this style, these characters."""

    def __init__(self) -> None:
        self.cells: list[list[PlotSettings]] = [[(" ", "")] * WIDTH for _ in range(HEIGHT)]
        self._x = self._y = 0
        self._codes: dict[str, str] = {}

    def feed(self, text: str) -> None:
        for numbers, kind, char in _SEQUENCE.findall(text):
            if kind == "H":
                self._y, self._x = (int(n) - 1 for n in numbers.split(";"))
            elif kind == "m":
                self._style(numbers)
            else:
                style = ";".join(self._codes[k] for k in sorted(self._codes))
                width = get_character_cell_size(char)
                self.cells[self._y][self._x] = (char, style)
                if width == 2:
                    self.cells[self._y][self._x + 1] = ("", style)
                self._x += width

    def _style(self, numbers: str) -> None:
        codes = (numbers or "0").split(";")
        while codes:
            code = codes.pop(0)
            if code == "0":
                self._codes.clear()
            elif code in ("38", "48"):
                self._codes[code] = ";".join([code, *codes[:4]])
                del codes[:4]
            elif code in ("39", "49"):
                self._codes.pop("38" if code == "39" else "48", None)
            else:
                self._codes["a" + code] = code

    def looks(self) -> list[list[PlotSettings]]:
        """What a person sees: of a blank without underline or reverse only the background."""
        backgrounds = []
        for line in self.cells:
            backgrounds.append([
                (c, s if c != " " or re.search(r"(^|;)[47](;|$)", s) else _background(s))
                for c, s in line
            ])  # fmt: skip
        return backgrounds


def _background(style: str) -> str:
    colour = re.search(r"48;2;\d+;\d+;\d+", style)
    return colour[0] if colour else ""


@st.composite
def lines(draw: st.DrawFn) -> Line:
    line: Line = []
    used = 0
    while used < WIDTH:
        char = draw(st.sampled_from("  ab⣿界"))
        if used + get_character_cell_size(char) > WIDTH:
            char = " "
        line.append((char, draw(st.sampled_from(STYLES))))
        used += get_character_cell_size(char)
    return line


screens = st.lists(lines(), min_size=HEIGHT, max_size=HEIGHT)


def strip(line: Line) -> Strip:
    return Strip([Segment(char, style) for char, style in line])


def whole(screen: list[Line]) -> LayoutUpdate:
    return LayoutUpdate([[strip(line)] for line in screen], Region(0, 0, WIDTH, HEIGHT))


def part(screen: list[Line], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    chops = [{0: strip(line)} for line in screen]
    return ChopsUpdate(chops, spans, [[WIDTH]] * HEIGHT)


def sent(output_diff: ScreenDiff, update: object) -> str:
    difference = output_diff.diff(update, (WIDTH, HEIGHT), ColorSystem.TRUECOLOR)  # type: ignore[arg-type]
    assert isinstance(difference, TerminalUpdate)
    return difference.render_segments(Console())


def fresh(screen: list[Line]) -> list[list[PlotSettings]]:
    terminal = Terminal()
    terminal.feed(sent(ScreenDiff(), whole(screen)))
    return terminal.looks()


@settings(max_examples=40)
@given(st.lists(screens, min_size=1, max_size=3), st.data())
def test_the_terminal_shows_what_was_drawn(frames: list[list[Line]], data: st.DataObject) -> None:
    terminal, output_diff = Terminal(), ScreenDiff()
    for number, frame in enumerate(frames):
        if number and data.draw(st.booleans()):
            update: object = part(frame, [(y, 0, WIDTH) for y in range(HEIGHT)])
        else:
            update = whole(frame)
        terminal.feed(sent(output_diff, update))
        assert terminal.looks() == fresh(frame)


def test_a_stretch_is_sent_alone_and_nothing_where_nothing_changed() -> None:
    plain = [[("a", STYLES[1])] * WIDTH for _ in range(HEIGHT)]
    output_diff = ScreenDiff()
    sent(output_diff, whole(plain))
    assert sent(output_diff, whole(plain)) == ""
    changed = [list(line) for line in plain]
    changed[1][5] = changed[2][5] = ("b", STYLES[1])
    only_one = sent(output_diff, part(changed, [(1, 5, 6)]))
    assert re.findall(r"\x1b\[2;6H|b|a", only_one) == ["\x1b[2;6H", "b"]
    assert "\x1b[3;6H" in sent(output_diff, whole(changed))


def test_another_size_or_a_request_sends_everything() -> None:
    plain = [[("a", STYLES[1])] * WIDTH for _ in range(HEIGHT)]
    output_diff = ScreenDiff()
    first = sent(output_diff, whole(plain))
    output_diff.invalidate()
    assert sent(output_diff, whole(plain)) == first
    again = output_diff.diff(whole(plain), (WIDTH, HEIGHT + 1), ColorSystem.TRUECOLOR)
    assert isinstance(again, TerminalUpdate)
    assert again.render_segments(Console()) == first
