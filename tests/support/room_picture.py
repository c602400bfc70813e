"""`make picture` draws docs/rooms.svg: the rooms and which imports which, from the source.

A room stands above all that it imports. An arrow is left out where others say the same: where
`cli` imports `report` and `report` imports `figures`, no arrow from `cli` to `figures` is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.import_graph import arrows_between_rooms

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "rooms.svg"

WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN = 860, 74, 104, 30, 20

Graph = dict[str, set[str]]


def rooms() -> Graph:
    """Each room and those it imports; the package's own files at the top are no room."""
    graph: Graph = {}
    for room, other in arrows_between_rooms():
        if "" not in (room, other) and "__main__" not in (room, other):
            graph.setdefault(room, set()).add(other)
            graph.setdefault(other, set())
    return graph


def heights(graph: Graph) -> dict[str, int]:
    """How long the longest way down from each room is."""
    found: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in found:
            found[room] = 1 + max((height(other) for other in graph[room]), default=-1)
        return found[room]

    for room in graph:
        height(room)
    return found


def without_implied(graph: Graph) -> Graph:
    """The arrows that do not follow from two or more others."""

    def below(room: str) -> set[str]:
        return graph[room].union(*(below(other) for other in graph[room]))

    return {
        room: others - set().union(*(below(other) for other in others))
        for room, others in graph.items()
    }


def places(graph: Graph) -> dict[str, tuple[float, float]]:
    """The middle of each room's box: rows by height, in a row near the rooms it imports."""
    rows: dict[int, list[str]] = {}
    for room, height in heights(graph).items():
        rows.setdefault(height, []).append(room)
    arrows = without_implied(graph)
    found: dict[str, tuple[float, float]] = {}
    for height in sorted(rows):
        drawn_arrows = {
            room: sum(found[other][0] for other in arrows[room]) / len(arrows[room])
            if arrows[room]
            else WIDTH / 2
            for room in rows[height]
        }
        ordered = sorted(rows[height], key=lambda room: (drawn_arrows[room], room))
        y = MARGIN + BOX_HEIGHT / 2 + (max(rows) - height) * ROW
        for number, room in enumerate(ordered):
            # Rows of one room alternate sides, so that arrows past them stay visible.
            shift = (height % 2 * 2 - 1) * 120 if len(ordered) == 1 else 0
            found[room] = (WIDTH * (number + 1) / (len(ordered) + 1) + shift, y)
    return found


def draw() -> str:
    """The picture as SVG."""
    graph = rooms()
    at = places(graph)
    height = max(y for _, y in at.values()) + BOX_HEIGHT / 2 + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="sans-serif" font-size="13">',
        "<title>The rooms of postertui, each above what it imports</title>",
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>',
    ]
    for room, others in sorted(without_implied(graph).items()):
        x, y = at[room]
        for other in sorted(others):
            to_x, to_y = at[other]
            top, bottom = y + BOX_HEIGHT / 2, to_y - BOX_HEIGHT / 2
            bend = (bottom - top) / 2
            lines.append(
                f'<path d="M{x:.0f} {top:.0f}C{x:.0f} {top + bend:.0f} '
                f'{to_x:.0f} {bottom - bend:.0f} {to_x:.0f} {bottom:.0f}" '
                'fill="none" stroke="#667" marker-end="url(#tip)"/>'
            )
    for room, (x, y) in sorted(at.items()):
        lines.append(
            f'<rect x="{x - BOX_WIDTH / 2:.0f}" y="{y - BOX_HEIGHT / 2:.0f}" '
            f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#eef3fb" stroke="#356"/>'
            f'<text x="{x:.0f}" y="{y + 4.5:.0f}" text-anchor="middle" fill="#123">{room}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def main() -> int:
    PICTURE.write_text(draw())
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)} drawn\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
